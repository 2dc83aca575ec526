import { Problem } from '../http/problem.ts'
import type { Route } from '../http/route.ts'

/** `GET /v1/sessions/{sessionId}`: the session's state, who it is, its QR text or pairing code, its last disconnect. */
export const getSession: Route = {
  method: 'GET',
  path: '/v1/sessions/:sessionId',
  access: 'key',
  async handle(context, { sessions }) {
    const sessionId = context.req.param('sessionId') ?? ''
    const view = await sessions.find(sessionId)
    if (view === undefined) throw new Problem('SESSION_NOT_FOUND')
    return context.json({ sessionId, ...view })
  },
}
