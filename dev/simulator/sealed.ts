import { createCipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'
import { contactMessageKey } from './contact-messages.ts'
import type { Context } from './context.ts'
import { ControlError } from './errors.ts'
import { lidJid, pnJid, type Account } from './world.ts'

/** How a phone names somebody in what it seals. */
export type Naming = 'lid' | 'pn'

/** An edit or a vote of a contact. */
export type Sealing = {
  readonly from: string
  /** A linked number or a group jid. */
  readonly to: string
  /** The message or poll that it is about. */
  readonly id: string
  /** The id of that as it is told; another one is a lie. */
  readonly as: string
  /** How the author of that is named, and how the contact is. */
  readonly author: Naming
  readonly self: Naming
}

/** What contacts encrypt with the secret of an earlier message, as phones have done it since May 2026. */
export function sealedEdit(context: Context, sealing: Sealing, editedMessage: proto.IMessage): proto.IMessage {
  const { as: id, from, to } = sealing
  const { sender, secret } = messageOf(context, sealing)
  const { EDIT, MESSAGE_EDIT } = {
    EDIT: proto.Message.ProtocolMessage.Type.MESSAGE_EDIT,
    MESSAGE_EDIT: proto.Message.SecretEncryptedMessage.SecretEncType.MESSAGE_EDIT,
  }
  const key = {
    id,
    fromMe: sender.phone === from,
    remoteJid: to.endsWith('@g.us') ? to : pnJid(accountOf(context, to)),
  }
  const edit = { protocolMessage: { key, type: EDIT, editedMessage, timestampMs: Date.now() } }
  const sealed = seal(secret, nameOf(sender, sealing.author), selfOf(context, sealing), {
    id,
    purpose: 'Message Edit',
    plaintext: proto.Message.encode(proto.Message.fromObject(edit)).finish(),
  })
  return { secretEncryptedMessage: { targetMessageKey: key, ...sealed, secretEncType: MESSAGE_EDIT } }
}

/** A vote on a poll of a linked client or of a contact; no options take it back. */
export function sealedVote(context: Context, sealing: Sealing, options: readonly string[]): proto.IMessage {
  const { id, from, to } = sealing
  const { sender, secret } = pollOfClient(context, id) ?? messageOf(context, sealing)
  const voter = selfOf(context, sealing)
  const selectedOptions = options.map(name => createHash('sha256').update(name).digest())
  const vote = seal(secret, nameOf(sender, sealing.author), voter, {
    id,
    purpose: 'Poll Vote',
    plaintext: proto.Message.PollVoteMessage.encode({ selectedOptions }).finish(),
    associated: `${id}\0${voter}`,
  })
  const isGroup = to.endsWith('@g.us')
  const pollCreationMessageKey = {
    id,
    fromMe: sender.phone === from,
    remoteJid: isGroup ? to : pnJid(accountOf(context, to)),
    ...(isGroup && { participant: lidJid(sender) }),
  }
  return { pollUpdateMessage: { pollCreationMessageKey, vote, senderTimestampMs: Date.now() } }
}

type Owned = { readonly sender: Account; readonly secret: Uint8Array }

function messageOf(context: Context, { to, id }: Sealing): Owned {
  const group = context.groups.byJid.get(to)
  const accounts = group ? [...group.members.keys()] : [accountOf(context, to)]
  for (const device of accounts.flatMap(account => [...account.devices.values()])) {
    const sent = context.sent.byContact.get(contactMessageKey(device, id))
    const secret = sent?.message.messageContextInfo?.messageSecret
    if (sent && secret) return { sender: sent.sender, secret }
  }
  throw new ControlError(404, 'secret_unknown', 'no contact sent a message with that id and a messageSecret')
}

function pollOfClient(context: Context, id: string): Owned | undefined {
  const [poll] = context.received.read({ matches: entry => entry.id === id, limit: 1 })
  const info = poll?.message?.messageContextInfo as { messageSecret?: string } | undefined
  if (!poll || info?.messageSecret === undefined) return undefined
  return { sender: accountOf(context, poll.from.phone), secret: Buffer.from(info.messageSecret, 'base64') }
}

type Content = {
  readonly id: string
  readonly purpose: string
  readonly plaintext: Uint8Array
  readonly associated?: string
}

function seal(secret: Uint8Array, author: string, self: string, { id, purpose, plaintext, associated }: Content) {
  const key = hkdfSync('sha256', secret, '', `${id}${author}${self}${purpose}`, 32)
  const encIv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', new Uint8Array(key), encIv)
  if (associated !== undefined) cipher.setAAD(Buffer.from(associated))
  return { encIv, encPayload: Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]) }
}

function accountOf(context: Context, phone: string): Account {
  const account = context.world.ensure(phone)
  if (!account) throw new ControlError(422, 'phone_unregistered', 'the number cannot have WhatsApp')
  return account
}

function nameOf(account: Account, naming: Naming): string {
  return naming === 'lid' ? lidJid(account) : pnJid(account)
}

function selfOf(context: Context, { from, self }: Sealing): string {
  return nameOf(accountOf(context, from), self)
}
