import type { BinaryNode } from '@whiskeysockets/baileys'
import type { Context } from './context.ts'
import { childOf, node } from './nodes.ts'
import type { Account, Device } from './world.ts'

/** Clients ask no more often for a message that they cannot read. */
const MOST_RETRIES = 9

/**
 * Names a stanza among those a client still has to ack. Messages are acked by receipts, which name only the id. What is
 * sent again on a retry receipt waits beside the first one: the client's ack of that comes after its retry receipt, and
 * must not take the new one along.
 */
function pendingKey(stanza: BinaryNode): string {
  const { id, from, participant, type } = stanza.attrs
  if (stanza.tag === 'message') return messageKey(id, Number(childOf(stanza, 'enc')?.attrs.count ?? 0))
  return `${stanza.tag}:${id}:${from}:${participant ?? ''}:${type ?? ''}`
}

function messageKey(id = '', retry: number): string {
  return `message:${id}${retry > 0 ? `#${retry}` : ''}`
}

/** A receipt: the client has the message, however often it was sent. */
export function messageReceived(device: Device, id: string): void {
  for (let retry = 0; retry <= MOST_RETRIES; retry++) device.pending.delete(messageKey(id, retry))
}

/** An ack: the client is done with one stanza; of a message that was sent several times, with the oldest. */
export function stanzaAcked(device: Device, ack: BinaryNode): void {
  if (ack.attrs.class !== 'message') {
    device.pending.delete(ackedKey(ack))
    return
  }
  for (let retry = 0; retry <= MOST_RETRIES; retry++) if (device.pending.delete(messageKey(ack.attrs.id, retry))) return
}

/** The pending key that a client's ack names: its `to` is our `from`. */
function ackedKey(ack: BinaryNode): string {
  const { id, to, participant, type, class: tag } = ack.attrs
  return `${tag}:${id}:${to}:${participant ?? ''}:${type ?? ''}`
}

/**
 * Gives a stanza to a linked device: at once when it is connected, and again at each login until it is acked.
 * The queue is bounded; what falls out is logged.
 */
export function deliver(context: Context, device: Device, stanza: BinaryNode): void {
  const key = pendingKey(stanza)
  device.pending.delete(key)
  device.pending.set(key, stanza)
  if (device.pending.size > context.limits.pendingPerDevice) {
    const oldest = device.pending.keys().next().value
    if (oldest !== undefined) device.pending.delete(oldest)
    context.journal.log('problem', { ...whose(device), detail: 'offline queue is full, oldest stanza dropped' })
  }
  if (device.connection?.state === 'ready') device.connection.send(stanza)
}

/** Delivers to every linked device of an account. */
export function deliverToAll(context: Context, account: Account, stanza: BinaryNode): void {
  for (const device of account.devices.values()) deliver(context, device, stanza)
}

/** After a login: what is pending goes out as offline stanzas, then the count that makes the client go on. */
export function flushPending(device: Device): void {
  const connection = device.connection
  if (!connection) return
  connection.state = 'ready'
  const stanzas = [...device.pending.values()]
  const offline = stanzas.filter(stanza => stanza.attrs.category !== 'peer')
  for (const stanza of offline) connection.send({ ...stanza, attrs: { ...stanza.attrs, offline: '0' } })
  connection.send(node('ib', { from: 's.whatsapp.net' }, [node('offline', { count: String(offline.length) })]))
  // The phone's own sync messages must come after the count: a client that is still connecting ignores them.
  for (const stanza of stanzas) if (stanza.attrs.category === 'peer') connection.send(stanza)
}

export function whose(device: Device): { phone: string; device: number } {
  return { phone: device.account.phone, device: device.number }
}
