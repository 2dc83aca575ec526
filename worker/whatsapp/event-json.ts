import {
  getContentType,
  isJidGroup,
  isLidUser,
  isPnUser,
  jidNormalizedUser,
  normalizeMessageContent,
  proto,
  type WAMessage,
} from '@whiskeysockets/baileys'
import type { WebhookEvent } from '../../shared/events.ts'

/** An event of the contract about messages. */
export type MessagesUpsert = Extract<WebhookEvent, { event: 'messages.upsert' }>

/** A message in an event. */
export type MessageJson = MessagesUpsert['data']['messages'][number]

const { Type } = proto.Message.ProtocolMessage

/** The protocol messages that a person caused; the others are WhatsApp's housekeeping and carry keys. */
const SEEN_BY_PEOPLE = new Set<unknown>([Type.REVOKE, Type.MESSAGE_EDIT])

/**
 * Whether a message of Baileys is one for the user: it has content that could be decrypted. Stubs (a group's changes,
 * a message that could not be decrypted and is asked for again), key distribution and housekeeping are not.
 */
export function isForUser({ message, category }: WAMessage): boolean {
  if (category === 'peer' || message === undefined || message === null) return false
  const content = normalizeMessageContent(message)
  if (getContentType(content) === undefined) return false
  return content?.protocolMessage ? SEEN_BY_PEOPLE.has(content.protocolMessage.type) : true
}

/** Finds the phone number of a LID in what the session has learnt. */
export type FindPhoneNumber = (lid: string) => Promise<string | null>

/** A message as it was when Baileys emitted it; Baileys goes on changing its own object. */
export interface Snapshot {
  key: WAMessage['key']
  rest: Omit<MessageJson, 'key'>
}

/** Takes a message's content: bytes become base64, 64-bit numbers become numbers while they are safe. */
export function snapshot({ key, message, pushName, messageTimestamp }: WAMessage): Snapshot {
  // The distribution message is a group's sender key: a secret, and no content.
  const { senderKeyDistributionMessage: _secret, ...content } = message ?? {}
  return {
    key: { ...key },
    rest: {
      message: plainFields(content),
      ...(typeof pushName === 'string' && pushName !== '' && { pushName }),
      ...(messageTimestamp !== undefined && messageTimestamp !== null && { messageTimestamp: plain(messageTimestamp) }),
    },
  }
}

/**
 * The message as the contract's event has it. People are named by phone number where it is known, with their LID
 * beside it in `remoteJidAlt` and `participantAlt`.
 */
export async function messageJson({ key, rest }: Snapshot, me: Me, find: FindPhoneNumber): Promise<MessageJson> {
  return { key: await keyJson(key, me, find), ...rest }
}

/** Our own jids. */
export interface Me {
  id: string | undefined
  lid: string | undefined
}

/** A key as events have it; see {@link messageJson}. */
export async function keyJson(key: WAMessage['key'], me: Me, find: FindPhoneNumber): Promise<MessageJson['key']> {
  const fromMe = key.fromMe === true
  const remoteJid = jidNormalizedUser(key.remoteJid ?? '')
  // Of a message that our phone sent, Baileys may give our own number as the other name of the chat.
  const chat = await nameOf(remoteJid, fromMe ? notMine(key.remoteJidAlt, remoteJid, me) : key.remoteJidAlt, find)
  const author = typeof key.participant === 'string' && key.participant !== '' ? key.participant : undefined
  const person = author === undefined ? undefined : await nameOf(jidNormalizedUser(author), key.participantAlt, find)
  return {
    remoteJid: chat.jid,
    ...(chat.alt !== undefined && { remoteJidAlt: chat.alt }),
    fromMe,
    id: key.id ?? '',
    ...(person !== undefined && { participant: person.jid }),
    ...(person?.alt !== undefined && { participantAlt: person.alt }),
  }
}

function notMine(alt: string | undefined, chat: string, me: Me): string | undefined {
  if (alt === undefined || me.id === undefined) return alt
  const isMine = jidNormalizedUser(alt) === jidNormalizedUser(me.id)
  const isMyChat = me.lid !== undefined && chat === jidNormalizedUser(me.lid)
  return isMine && !isMyChat ? undefined : alt
}

async function nameOf(jid: string, alt: string | undefined, find: FindPhoneNumber) {
  const other = alt === undefined || alt === '' ? undefined : jidNormalizedUser(alt)
  if (isJidGroup(jid) === true) return { jid, alt: undefined }
  if (isLidUser(jid) !== true) return { jid, alt: other === jid ? undefined : other }
  const known = other !== undefined && isPnUser(other) === true ? other : await find(jid)
  return known === null || known === undefined ? { jid, alt: undefined } : { jid: jidNormalizedUser(known), alt: jid }
}

interface LongLike {
  low: number
  high: number
  unsigned: boolean
  toString(): string
}

/** A value of Baileys as JSON. Only own fields count: the rest are defaults of a prototype. Times become Unix seconds. */
export function plain(value: unknown): unknown {
  if (value instanceof Date) return Math.floor(value.getTime() / 1000)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  if (isLong(value)) {
    const number = Number(value.toString())
    return Number.isSafeInteger(number) ? number : value.toString()
  }
  return plainFields(value)
}

function plainFields(value: object): Record<string, unknown> {
  const fields = Object.entries(value).filter(([, field]) => field !== undefined && field !== null)
  return Object.fromEntries(fields.map(([name, field]) => [name, plain(field)]))
}

function isLong(value: object): value is LongLike {
  return 'low' in value && 'high' in value && 'unsigned' in value
}
