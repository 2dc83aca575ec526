import type { BinaryNode, proto } from '@whiskeysockets/baileys'
import type { Context } from './context.ts'
import { deliver, whose } from './delivery.ts'
import { addressOfDevice } from './world.ts'
import { encryptFor, messageId } from './envelope.ts'
import { ControlError } from './errors.ts'
import { childOf, node, numberOf, seconds } from './nodes.ts'
import { bundleIn, takeLinkedBundle } from './iq/encrypt.ts'
import { lidJid, pnJid, type Account, type Device } from './world.ts'

/** A message that a contact writes to a linked number. */
export type ContactSend = {
  readonly from: string
  readonly to: string
  readonly message: proto.IMessage
  /** Sent instead of the message, as it is. */
  readonly bytes?: Uint8Array
  readonly id?: string
  /** How the chat is addressed: WhatsApp moved most chats to LIDs. */
  readonly addressing: 'lid' | 'pn'
}

/** Has a contact write to all linked devices of a number. Returns the message id. */
export function sendFromContact(context: Context, send: ContactSend): { id: string } {
  const sender = context.world.ensure(send.from)
  const target = context.world.accounts.get(send.to)
  if (!sender) throw new ControlError(422, 'phone_unregistered', 'the sending number cannot have WhatsApp')
  if (!target?.devices.size) throw new ControlError(404, 'phone_not_linked', 'no client is linked to this number')
  const id = send.id ?? messageId()
  const hasLid = !context.world.withoutLid.has(sender.phone)
  const byLid = send.addressing === 'lid' && hasLid
  const attrs = {
    id,
    from: byLid ? lidJid(sender) : pnJid(sender),
    ...(byLid && { sender_pn: pnJid(sender), addressing_mode: 'lid' }),
    ...(!byLid && hasLid && { sender_lid: lidJid(sender) }),
    type: stanzaType(send.message),
    notify: sender.name,
    t: seconds(),
  }
  const content = send.bytes ?? send.message
  for (const device of target.devices.values()) {
    context.sent.byContact.set(contactMessageKey(device, id), { sender, message: send.message, attrs })
    deliver(context, device, node('message', attrs, [encryptFor(context, sender.party, device, content)]))
  }
  return { id }
}

export function contactMessageKey(device: Device, id: string): string {
  return `${addressOfDevice(device)}|${id}`
}

/** The `type` attribute of a message stanza. */
export function stanzaType(message: proto.IMessage): string {
  if (message.reactionMessage) return 'reaction'
  if (message.pollCreationMessage ?? message.pollCreationMessageV3 ?? message.pollUpdateMessage) return 'poll'
  const media = message.imageMessage ?? message.videoMessage ?? message.audioMessage ?? message.documentMessage
  return media || message.stickerMessage ? 'media' : 'text'
}

/** Answers a client's retry receipt for a contact's message with a new session; false when it is not a contact's. */
export function sendAgain(context: Context, device: Device, receipt: BinaryNode): boolean {
  const id = receipt.attrs.id ?? ''
  const sent = context.sent.byContact.get(contactMessageKey(device, id))
  if (!sent) return false
  const retry = childOf(receipt, 'retry')
  const count = retry?.attrs.count ?? '1'
  const party = sent.sender.party
  const address = addressOfDevice(device)
  const bundle = bundleIn(childOf(receipt, 'keys'), numberOf(childOf(receipt, 'registration')) ?? device.registrationId)
  // The sessions before stay: the client may have written under them before it learns of the new one.
  party.start(address, bundle ?? takeLinkedBundle(context, device))
  context.journal.log('problem', { ...whose(device), id, detail: `client asked for retry ${count}` })
  const enc = encryptFor(context, party, device, withSenderKey(context, sent.sender, sent.attrs, sent.message), {
    count,
  })
  deliver(context, device, node('message', { ...sent.attrs, t: seconds() }, [enc]))
  return true
}

function withSenderKey(
  context: Context,
  sender: Account,
  attrs: Readonly<Record<string, string>>,
  message: proto.IMessage,
): proto.IMessage {
  const group = attrs.participant === undefined ? undefined : attrs.from
  const key = group === undefined ? undefined : context.groups.senderOf(group, sender)
  if (!key || group === undefined) return message
  const distribution = { groupId: group, axolotlSenderKeyDistributionMessage: key.distribution() }
  return { ...message, senderKeyDistributionMessage: distribution }
}
