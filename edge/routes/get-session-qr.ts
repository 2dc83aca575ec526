import type { SessionView } from '../../shared/session.ts'
import { chooseType } from '../http/negotiate.ts'
import { Problem } from '../http/problem.ts'
import type { Route } from '../http/route.ts'
import type { RouteContext } from '../http/context.ts'
import { qrPng, qrSvg, qrText } from '../qr/render.ts'

const SVG = 'image/svg+xml'
const PNG = 'image/png'
const TEXT = 'text/plain'

/**
 * `GET /v1/sessions/{sessionId}/qr`: what a phone needs to link the session, by Accept: the QR as SVG (when nothing else
 * is asked for), PNG, or text for a terminal; a pairing code as text.
 */
export const getSessionQr: Route = {
  method: 'GET',
  path: '/v1/sessions/:sessionId/qr',
  access: 'key',
  async handle(context, { sessions }) {
    const view = await sessions.find(context.req.param('sessionId') ?? '')
    if (view === undefined) throw new Problem('SESSION_NOT_FOUND')
    context.header('vary', 'accept')
    return answer(context, view)
  },
}

async function answer(context: RouteContext, { qr, pairingCode, state }: SessionView): Promise<Response> {
  if (qr === undefined && pairingCode === undefined) {
    throw new Problem('QR_NOT_AVAILABLE', { detail: `the session is ${state}` })
  }
  if (qr === undefined) {
    chooseType(context, [TEXT])
    return context.body(`${pairingCode}\n`, 200, { 'content-type': `${TEXT}; charset=utf-8` })
  }
  const type = chooseType(context, [SVG, PNG, TEXT])
  if (type === PNG) return context.body(await qrPng(qr), 200, { 'content-type': PNG })
  if (type === TEXT) return context.body(qrText(qr), 200, { 'content-type': `${TEXT}; charset=utf-8` })
  return context.body(qrSvg(qr), 200, { 'content-type': SVG })
}
