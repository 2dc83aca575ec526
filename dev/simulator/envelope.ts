import { randomBytes } from 'node:crypto'
import { encodeWAMessage, proto, unpadRandomMax16, type BinaryNode } from '@whiskeysockets/baileys'
import type { Context } from './context.ts'
import { addressOfDevice } from './world.ts'
import { takeLinkedBundle } from './iq/encrypt.ts'
import { node } from './nodes.ts'
import type { Party } from './signal/party.ts'
import type { Device } from './world.ts'

/** A fresh message id in the form that phones use. */
export function messageId(): string {
  return `3A${randomBytes(9).toString('hex').toUpperCase()}`
}

/**
 * Encrypts a message of a simulated phone for one linked device, starting a session when there is none. A message in bytes
 * is taken as it is, well-formed or not.
 */
export function encryptFor(
  context: Context,
  sender: Party,
  device: Device,
  message: proto.IMessage | Uint8Array,
  attrs: Record<string, string> = {},
): BinaryNode {
  const address = addressOfDevice(device)
  if (!sender.hasSession(address)) sender.start(address, takeLinkedBundle(context, device))
  const { type, ciphertext } = sender.encrypt(
    address,
    message instanceof Uint8Array ? padded(message) : encodeWAMessage(message),
  )
  if (context.faults.take('garble', device.account.phone)) ciphertext.fill(0, ciphertext.length - 4)
  return node('enc', { v: '2', type, ...attrs }, ciphertext)
}

function padded(plaintext: Uint8Array): Buffer {
  return Buffer.concat([plaintext, Buffer.of(1)])
}

/** Decodes a padded plaintext. */
export function decodeMessage(plaintext: Uint8Array): proto.Message {
  return proto.Message.decode(unpadRandomMax16(plaintext))
}
