import type { BinaryNode, proto } from '@whiskeysockets/baileys'
import type { Context } from './context.ts'
import { addressOfDevice } from './world.ts'
import { decodeMessage } from './envelope.ts'
import { bytesOf } from './nodes.ts'
import type { Opened } from './received.ts'
import { fingerprint } from './signal/primitives.ts'
import { readSenderKeyHeader } from './signal/sender-keys.ts'
import { readHeader, type SignalHeader } from './signal/session.ts'
import { addressOf, type Account, type Device } from './world.ts'

/** A ciphertext opened, or not, by a simulated phone; `message` is unwrapped from DeviceSentMessage. */
export type Opening = { readonly opened: Opened; readonly message?: proto.Message }

/** Has the simulated phone of `recipient` decrypt a `msg` or `pkmsg` of a client. */
export function openByPhone(context: Context, sender: Device, recipient: Account, enc: BinaryNode): Opening {
  const type = enc.attrs.type ?? ''
  const ciphertext = bytesOf(enc) ?? Buffer.alloc(0)
  const facts = {
    phone: recipient.phone,
    device: 0,
    role: recipient === sender.account ? ('own-phone' as const) : ('contact' as const),
    type,
    ...headerOf(type, ciphertext),
    ciphertext: fingerprint(ciphertext),
  }
  try {
    if (type !== 'msg' && type !== 'pkmsg') throw new Error(`ciphertext type ${type} is unknown`)
    if (facts.role === 'contact' && context.faults.take('fail-decrypt', sender.account.phone)) {
      throw new Error('fault: contact does not decrypt')
    }
    const decoded = decodeMessage(recipient.party.decrypt(addressOfDevice(sender), type, ciphertext))
    const message = (decoded.deviceSentMessage?.message as proto.Message | undefined) ?? decoded
    takeSenderKey(context, sender, recipient, decoded)
    return { opened: { ...facts, ok: true }, message }
  } catch (error) {
    return { opened: { ...facts, ok: false, error: error instanceof Error ? error.message : String(error) } }
  }
}

/** Notes a ciphertext that is passed on to another real client. */
export function passedOn(recipient: Account, device: number, enc: BinaryNode): Opened {
  const type = enc.attrs.type ?? ''
  const ciphertext = bytesOf(enc) ?? Buffer.alloc(0)
  const { phone } = recipient
  const header = headerOf(type, ciphertext)
  return { phone, device, role: 'companion', type, ...header, ciphertext: fingerprint(ciphertext), ok: true }
}

/** Has the members decrypt a `skmsg`: once for all, since they hold the same key, but only for those who got it. */
export function openByMembers(
  context: Context,
  sender: Device,
  group: string,
  members: readonly Account[],
  enc: BinaryNode,
): Opening[] {
  const ciphertext = bytesOf(enc) ?? Buffer.alloc(0)
  let header = { keyId: 0, iteration: -1 }
  let message: proto.Message | undefined
  let failure = ''
  let holders: ReadonlySet<string> = new Set()
  try {
    header = readSenderKeyHeader(ciphertext)
    const key = context.senderKeys.get(`${group}|${addressOfDevice(sender)}`)?.get(header.keyId)
    if (!key) throw new Error('no sender key')
    holders = key.holders
    message = decodeMessage(key.receiver.decrypt(ciphertext))
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error)
  }
  return members.map(member => {
    const facts = {
      phone: member.phone,
      device: 0,
      role: member === sender.account ? ('own-phone' as const) : ('contact' as const),
      type: 'skmsg',
      chain: `${group}|${header.keyId}`,
      counter: header.iteration,
      ciphertext: fingerprint(ciphertext),
    }
    if (failure || !message) return { opened: { ...facts, ok: false, error: failure } }
    if (!holders.has(member.phone)) return { opened: { ...facts, ok: false, error: 'no sender key' } }
    return { opened: { ...facts, ok: true }, message }
  })
}

function takeSenderKey(context: Context, sender: Device, holder: Account, message: proto.Message): void {
  const shared = message.senderKeyDistributionMessage
  if (!shared?.groupId || !shared.axolotlSenderKeyDistributionMessage) return
  const name = `${shared.groupId}|${addressOf(sender.account, sender.number)}`
  context.senderKeys.take(name, shared.axolotlSenderKeyDistributionMessage, holder.phone)
}

function headerOf(type: string, ciphertext: Buffer): Pick<SignalHeader, 'chain' | 'counter'> {
  try {
    const { chain, counter } = readHeader(type, ciphertext)
    return { chain, counter }
  } catch {
    return { chain: 'unreadable', counter: -1 }
  }
}
