import type { BinaryNode } from '@whiskeysockets/baileys'
import type { Context } from './context.ts'
import { deliver, whose } from './delivery.ts'
import { isGroupJid } from './jids.ts'
import { bigEndian, node, seconds } from './nodes.ts'
import { keysOf } from './iq/encrypt.ts'
import type { Opened } from './received.ts'
import type { Routed } from './routing.ts'
import { clientMessageKey } from './sent.ts'
import { lidJid, pnJid, type Account, type Device } from './world.ts'

const MAX_RETRIES = 4

/** Sends the ack of a message, then what its recipients answer; armed faults drop or delay both. */
export function answerMessage(context: Context, device: Device, stanza: BinaryNode, routed: Routed): void {
  const { phone } = device.account
  if (context.faults.take('drop-ack', phone)) {
    context.journal.log('fault', { ...whose(device), id: stanza.attrs.id ?? '', detail: 'ack dropped' })
    return
  }
  const delay = context.faults.take('delay-ack', phone)?.ms ?? context.settings.ackDelayMs
  later(delay, () => {
    sendAck(context, device, stanza, routed.refused)
    if (routed.refused === undefined) {
      later(context.settings.receiptDelayMs, () => sendReceipts(context, device, stanza, routed))
    }
  })
}

function later(ms: number, work: () => void): void {
  if (ms > 0) setTimeout(work, ms).unref()
  else work()
}

function sendAck(context: Context, device: Device, stanza: BinaryNode, error: string | undefined): void {
  const { id = '', to = '' } = stanza.attrs
  const connection = device.connection
  context.journal.log('ack', {
    ...whose(device),
    id,
    to,
    ...(connection && { connection: connection.number }),
    ...(error === undefined ? {} : { code: error }),
  })
  connection?.send(
    node('ack', { class: 'message', id, from: to, t: seconds(), ...(error === undefined ? {} : { error }) }),
  )
}

function sendReceipts(context: Context, device: Device, stanza: BinaryNode, routed: Routed): void {
  const { receipts } = context.settings
  const asked = new Set<string>()
  for (const { opened } of routed.openings) {
    const recipient = context.world.accounts.get(opened.phone)
    if (!recipient || opened.device !== 0) continue
    if (!opened.ok) {
      // One request for a message, although both its key and its text could not be read.
      if (!asked.has(opened.phone)) askForRetry(context, device, stanza, recipient, opened)
      asked.add(opened.phone)
    } else if (opened.role === 'contact' && receipts !== 'none' && !isHalfOfGroupMessage(stanza, opened)) {
      const attrs = receiptAttrs(stanza, recipient)
      deliver(context, device, node('receipt', attrs))
      if (receipts === 'read') deliver(context, device, node('receipt', { ...attrs, type: 'read' }))
    }
  }
}

/** A group message of two ciphertexts (key and text) is answered once, by what became of the text. */
function isHalfOfGroupMessage(stanza: BinaryNode, opened: Opened): boolean {
  return isGroupJid(stanza.attrs.to ?? '') && opened.type !== 'skmsg' && stanza.attrs.participant === undefined
}

function receiptAttrs(stanza: BinaryNode, recipient: Account): Record<string, string> {
  const { id = '', to = '' } = stanza.attrs
  const attrs = { id, from: to, t: seconds() }
  return isGroupJid(to) ? { ...attrs, participant: lidJid(recipient) } : attrs
}

/** A phone that could not read a message asks for it again with fresh keys, unless it has read it before. */
function askForRetry(context: Context, device: Device, stanza: BinaryNode, recipient: Account, opened: Opened): void {
  const { id = '', to = '' } = stanza.attrs
  const key = clientMessageKey(device, id)
  if (context.sent.byClient.get(key)?.readBy.has(recipient.phone)) return
  const asked = `${key}|${recipient.phone}`
  const count = (context.sent.retries.get(asked) ?? 0) + 1
  if (count > MAX_RETRIES) return
  context.sent.retries.set(asked, count)
  context.journal.log('problem', { ...whose(device), id, to, detail: `retry ${count}: ${opened.error ?? ''}` })
  const attrs: Record<string, string> = { ...receiptAttrs(stanza, recipient), type: 'retry' }
  if (opened.role === 'own-phone' && !isGroupJid(to)) {
    attrs.from = to.endsWith('@lid') ? lidJid(recipient) : pnJid(recipient)
    attrs.recipient = to
  }
  const [registration, ...keys] = keysOf(recipient.party.bundle())
  const retry = node('retry', { v: '1', count: String(count), id, t: attrs.t ?? seconds(), error: '0' })
  const content = [retry, registration ?? node('registration', {}, bigEndian(recipient.party.registrationId, 4))]
  deliver(context, device, node('receipt', attrs, [...content, node('keys', {}, keys)]))
}
