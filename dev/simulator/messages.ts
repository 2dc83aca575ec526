import type { BinaryNode, proto } from '@whiskeysockets/baileys'
import { answerMessage } from './acks.ts'
import type { Connection } from './world.ts'
import type { Context } from './context.ts'
import { deliver, whose } from './delivery.ts'
import { routeToGroup } from './group-messages.ts'
import type { Fault } from './faults.ts'
import { isGroupJid } from './jids.ts'
import { stamp } from './journal.ts'
import { streamError } from './login.ts'
import { mediaOf } from './media-check.ts'
import { childrenOf, node, seconds } from './nodes.ts'
import { openByPhone, passedOn, type Opening } from './opening.ts'
import type { Opened } from './received.ts'
import { plainOf, textIn } from './plain.ts'
import { addressedParts, withIdentity, type Routed } from './routing.ts'
import { clientMessageKey } from './sent.ts'
import { lidJid, pnJid, type Account, type Device } from './world.ts'

/** Takes a message of a client: routes, decrypts, records and answers it, with the faults that are armed. */
export function handleMessage(context: Context, connection: Connection, device: Device, stanza: BinaryNode): void {
  const { phone } = device.account
  const cut = context.faults.take('cut', phone, context.world.resolve(stanza.attrs.to)?.account.phone)
  if (cut?.when === 'before') return cutOff(context, connection, stanza, cut)
  const errorAck = context.faults.take('error-ack', phone)
  const routed: Routed = errorAck ? { openings: [], refused: String(errorAck.code) } : route(context, device, stanza)
  record(context, connection, device, stanza, routed)
  if (cut) return cutOff(context, connection, stanza, cut)
  answerMessage(context, device, stanza, routed)
}

function cutOff(
  context: Context,
  connection: Connection,
  stanza: BinaryNode,
  { when, code }: Extract<Fault, { kind: 'cut' }>,
): void {
  const id = stanza.attrs.id ?? ''
  context.journal.log('fault', { connection: connection.number, id, detail: `cut ${when} message` })
  if (code === undefined) connection.cut()
  else connection.finish(streamError(code))
}

function route(context: Context, device: Device, stanza: BinaryNode): Routed {
  const to = stanza.attrs.to ?? ''
  if (isGroupJid(to) || to === 'status@broadcast') return routeToGroup(context, device, stanza, to)
  if (to.endsWith('@newsletter')) return { openings: [] }
  const target = context.world.resolve(to)
  if (!target) return { openings: [], refused: '404' }
  const moved = context.settings.lidOnly && !context.world.withoutLid.has(target.account.phone)
  const isOwn = target.account === device.account
  if (moved && !isOwn && to.endsWith('@s.whatsapp.net')) return { openings: [], refused: '463' }
  const chat = context.world.resolve(stanza.attrs.recipient) ?? target
  const direct = childrenOf(stanza, 'enc').map(enc => ({ jid: to, enc }))
  const parts = [...addressedParts(stanza), ...direct]
  const openings = parts.flatMap(({ jid, enc }) => {
    const recipient = context.world.resolve(jid)
    if (!recipient || (recipient.account === device.account && recipient.device === device.number)) return []
    if (recipient.device === 0) return [openByPhone(context, device, recipient.account, enc)]
    const linked = recipient.account.devices.get(recipient.device)
    if (!linked) return []
    const attrs = envelopeOf(device, chat.account, linked.account, stanza)
    deliver(context, linked, node('message', attrs, withIdentity(stanza, [enc])))
    return [{ opened: passedOn(linked.account, linked.number, enc) }]
  })
  return { openings, chatPhone: chat.account.phone }
}

function envelopeOf(sender: Device, chat: Account, reader: Account, stanza: BinaryNode): Record<string, string> {
  const { account, number } = sender
  const byLid = stanza.attrs.to?.endsWith('@lid') ?? false
  const attrs: Record<string, string> = {
    id: stanza.attrs.id ?? '',
    type: stanza.attrs.type ?? 'text',
    t: seconds(),
    notify: account.name,
    from: byLid ? lidJid(account, number) : pnJid(account, number),
    ...(byLid ? { sender_pn: pnJid(account), addressing_mode: 'lid' } : { sender_lid: lidJid(account) }),
    ...(stanza.attrs.edit ? { edit: stanza.attrs.edit } : {}),
  }
  if (reader === account) attrs.recipient = byLid ? lidJid(chat) : pnJid(chat)
  return attrs
}

function record(context: Context, connection: Connection, device: Device, stanza: BinaryNode, routed: Routed): void {
  const id = stanza.attrs.id ?? ''
  const chat = stanza.attrs.to ?? ''
  const known = context.sent.byClient.get(clientMessageKey(device, id))
  const opened: Opened[] = routed.openings.map(opening => opening.opened)
  const message = bestMessage(routed.openings)
  const text = message && textIn(message)
  const entry = context.received.append({
    ...stamp(),
    connection: connection.number,
    from: whose(device),
    chat,
    ...(routed.chatPhone === undefined ? {} : { chatPhone: routed.chatPhone }),
    id,
    type: stanza.attrs.type ?? '',
    attrs: stanza.attrs,
    ...(message ? { message: plainOf(message) } : {}),
    ...(text === undefined ? {} : { text }),
    duplicate: known !== undefined,
    opened,
    ...(message ? mediaOf(context, message) : {}),
    ...(routed.refused === undefined ? {} : { refused: routed.refused }),
  })
  const sent = known ?? { device, readBy: new Set<string>() }
  for (const { ok, phone, device: number } of entry.opened) if (ok && number === 0) sent.readBy.add(phone)
  if (!known) context.sent.byClient.set(clientMessageKey(device, id), sent)
}

/** What the contacts read; the copy for the own phone serves when nobody else could. */
function bestMessage(openings: readonly Opening[]): proto.Message | undefined {
  const rank = (opening: Opening): number =>
    !opening.message || isKeyOnly(opening.message) ? 2 : opening.opened.role === 'contact' ? 0 : 1
  return [...openings].sort((left, right) => rank(left) - rank(right))[0]?.message
}

function isKeyOnly(message: proto.Message): boolean {
  return Object.keys(message).every(field => field === 'senderKeyDistributionMessage' || field === 'messageContextInfo')
}
