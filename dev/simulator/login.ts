import type { BinaryNode, proto } from '@whiskeysockets/baileys'
import { adopt } from './adopt.ts'
import type { Connection } from './world.ts'
import type { Context } from './context.ts'
import { whose } from './delivery.ts'
import { node, seconds } from './nodes.ts'
import { lidJid, type Device } from './world.ts'

/** Accepts or refuses a client that says it is linked. */
export function login(context: Context, connection: Connection, payload: proto.ClientPayload, key: Buffer): void {
  const phone = String(payload.username ?? '')
  const number = payload.device ?? 0
  const known = context.world.accounts.get(phone)?.devices.get(number)
  const refusal = context.faults.take('refuse-login', phone)
  if (refusal) return refuse(context, connection, payload, refusal.code)
  const device = known ?? (context.settings.adopt ? adopt(context, phone, number, key) : undefined)
  if (!device || !device.noiseStatic.equals(key)) return refuse(context, connection, payload, 401)

  const previous = device.connection
  device.connection = connection
  connection.device = device
  connection.state = 'open'
  if (previous) previous.finish(streamError(440))
  context.journal.log('login', { connection: connection.number, ...whose(device) })
  connection.send(
    node('success', {
      t: seconds(),
      lid: lidJid(device.account, number),
      props: '1',
      companion_enc_static: device.noiseStatic.toString('base64'),
      location: 'sim',
    }),
  )
}

/** Ends a connection with the code that tells its client why. */
export function refuse(context: Context, connection: Connection, payload: proto.ClientPayload, code: number): void {
  const [phone, device] = [String(payload.username ?? ''), payload.device ?? 0]
  context.journal.log('refused', { connection: connection.number, phone, device, code: String(code) })
  connection.finish(PLAIN_CLOSES.has(code) ? undefined : node('failure', { reason: String(code), location: 'sim' }))
}

/** 408 and 428 are what a client reads from a connection that just ends. */
export const PLAIN_CLOSES: ReadonlySet<number> = new Set([408, 428])

/** The stream error with which WhatsApp ends a connection for a reason. */
export function streamError(code: number): BinaryNode {
  if (code === 440) return node('stream:error', {}, [node('conflict', { type: 'replaced' })])
  if (code === 401) return node('stream:error', { code: '401' }, [node('conflict', { type: 'device_removed' })])
  return node('stream:error', { code: String(code) })
}

/** Ends a device's link: it is gone from the account and its connection, if any, is told so. */
export function unlink(context: Context, device: Device): void {
  device.account.devices.delete(device.number)
  device.account.unlinked.add(device.number)
  device.pending.clear()
  context.journal.log('logout', {
    ...whose(device),
    ...(device.connection && { connection: device.connection.number }),
  })
  device.connection?.finish(streamError(401))
}
