import type { BinaryNode } from '@whiskeysockets/baileys'
import type { Context } from './context.ts'
import { node } from './nodes.ts'
import { addressOf, type Account, type Device } from './world.ts'

/** Names a stanza among those a client still has to ack. Messages are acked by receipts, which name only the id. */
export function pendingKey(stanza: BinaryNode): string {
  const { id, from, participant, type } = stanza.attrs
  return stanza.tag === 'message' ? `message:${id}` : `${stanza.tag}:${id}:${from}:${participant ?? ''}:${type ?? ''}`
}

/** The pending key that a client's ack names: its `to` is our `from`. */
export function ackedKey(ack: BinaryNode): string {
  const { id, to, participant, type, class: tag } = ack.attrs
  return tag === 'message' ? `message:${id}` : `${tag}:${id}:${to}:${participant ?? ''}:${type ?? ''}`
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

export function addressOfDevice(device: Device): string {
  return addressOf(device.account, device.number)
}
