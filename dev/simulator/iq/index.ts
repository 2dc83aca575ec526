import type { BinaryNode } from '@whiskeysockets/baileys'
import type { Connection } from '../world.ts'
import type { Context } from '../context.ts'
import { flushPending, whose } from '../delivery.ts'
import { sendFirstSync } from '../first-sync.ts'
import { childrenOf } from '../nodes.ts'
import { answerCodeExchange } from '../pairing-code.ts'
import { accountHandlers } from './account.ts'
import { iqError, iqResult, type IqHandler } from './answer.ts'
import { answerEncrypt } from './encrypt.ts'
import { answerGroups } from './groups.ts'
import { answerUsync } from './usync.ts'

const handlers: Readonly<Record<string, IqHandler>> = {
  ...accountHandlers,
  encrypt: answerEncrypt,
  usync: answerUsync,
  'w:g2': answerGroups,
  passive: () => [],
}

/** Answers a request; one that no handler knows gets an empty result and a line in the log. */
export function handleIq(context: Context, connection: Connection, iq: BinaryNode): void {
  if (iq.attrs.type === 'result' || iq.attrs.type === 'error') return handleAnswer(context, connection, iq)
  const { device } = connection
  const child = childrenOf(iq)[0]
  const xmlns = iq.attrs.xmlns ?? ''
  const registration = context.registrations.get(connection.number)
  const fault = device && context.faults.take('error-iq', device.account.phone, xmlns)
  if (fault) return connection.send(iqResult(iq, iqError(fault.code, 'on purpose')))
  const answer = device
    ? handlers[xmlns]?.({ context, connection, device, iq, child })
    : registration && child?.tag === 'link_code_companion_reg'
      ? answerCodeExchange(registration, child)
      : handlers[xmlns] === handlers['w:p'] && []
  if (!answer) {
    const detail = `${xmlns} ${iq.attrs.type ?? ''} ${child?.tag ?? ''}`
    context.journal.log('unknown', { connection: connection.number, ...(device && whose(device)), tag: 'iq', detail })
  }
  connection.send(iqResult(iq, answer || undefined))
  if (device && xmlns === 'passive' && child?.tag === 'active') {
    flushPending(device)
    sendFirstSync(context, device)
  }
}

/** A client's answer to a request of ours: only pairing asks. */
function handleAnswer(context: Context, connection: Connection, iq: BinaryNode): void {
  if (!iq.attrs.id?.startsWith('linked-')) return
  context.registrations.get(connection.number)?.answered?.(iq)
}
