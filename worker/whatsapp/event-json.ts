import { getContentType, normalizeMessageContent, proto, type WAMessage } from '@whiskeysockets/baileys'
import type { WebhookEvent } from '../../shared/events.ts'
import { tellInnerKeys } from './inner-keys.ts'
import { keyJson, type FindPhoneNumber, type Me } from './key-json.ts'

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

/** A message as it was when Baileys emitted it; Baileys goes on changing its own object. */
export interface Snapshot {
  key: WAMessage['key']
  rest: { message: Record<string, unknown>; pushName?: string; messageTimestamp?: unknown }
}

/** Takes a message's content: bytes become base64, 64-bit numbers become numbers while they are safe. */
export function snapshot({ key, message, pushName, messageTimestamp }: WAMessage): Snapshot {
  // The distribution message is a group's sender key: a secret, and no content.
  const { senderKeyDistributionMessage: _secret, ...content } = message ?? {}
  return {
    key: { ...key },
    rest: {
      message: contentJson(content),
      ...(typeof pushName === 'string' && pushName !== '' && { pushName }),
      ...(messageTimestamp !== undefined && messageTimestamp !== null && { messageTimestamp: plain(messageTimestamp) }),
    },
  }
}

/** The message as the contract's event has it; keys in it are told as its own is, see {@link keyJson}. */
export async function messageJson({ key, rest }: Snapshot, me: Me, find: FindPhoneNumber): Promise<MessageJson> {
  const told = await keyJson(key, me, find)
  return { key: told, ...rest, message: await tellInnerKeys(rest.message, { raw: key, told }, me, find) }
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
  return contentJson(value)
}

/** Content as JSON; see {@link plain}. */
export function contentJson(value: object): Record<string, unknown> {
  // A decoded protobuf has an empty list for each list that nobody filled.
  const isThere = (field: unknown) =>
    field !== undefined && field !== null && !(Array.isArray(field) && field.length === 0)
  const fields = Object.entries(value).filter(([, field]) => isThere(field))
  return Object.fromEntries(fields.map(([name, field]) => [name, plain(field)]))
}

function isLong(value: object): value is LongLike {
  return 'low' in value && 'high' in value && 'unsigned' in value
}
