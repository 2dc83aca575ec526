import { getContentType, isJidGroup, jidNormalizedUser, normalizeMessageContent, proto } from '@whiskeysockets/baileys'
import type { JobData } from '../../shared/contract.ts'
import type { NameIn } from './group-names.ts'
import { JobFailure } from '../jobs/job.ts'
import { MAX_CONTENT_BYTES, MAX_LEVELS } from './bounds.ts'

/** Longest JSON and deepest nesting of a quoted message: what webhooks give is within `bounds.ts`, its bytes in base64. */
const MAX_JSON_LENGTH = 2 * MAX_CONTENT_BYTES
const MAX_DEPTH = MAX_LEVELS
/** Most bytes of a preview: one with a large thumbnail has 60 KB. It is encrypted for each device anew. */
const MAX_PREVIEW_BYTES = 128 * 1024

/** What {@link quote} knows beside the job. */
export interface QuoteContext {
  /** The chat that the reply goes to. */
  to: string
  /** Our own jid. */
  me: string
  /** The quoted message as we sent it, when it was ours. */
  ours: proto.IMessage | undefined
  /** How people are named in the chat of the quoted message. */
  nameIn: NameIn
}

/**
 * The context that makes a message a reply. Without the quoted message WhatsApp's clients show their own copy of it,
 * found by its id. Throws `INVALID_JOB` for a quoted message that is none.
 */
export function quote({ key, message }: JobData<'SEND_REPLY'>['quoted'], context: QuoteContext): proto.IContextInfo {
  const given = message === undefined ? context.ours : readMessage(message)
  const author = key.fromMe === true ? context.me : (key.participant ?? (isGroup(key.remoteJid) ? '' : key.remoteJid))
  return {
    stanzaId: key.id,
    ...(author !== '' && { participant: context.nameIn(jidNormalizedUser(author)) }),
    ...(key.remoteJid !== context.to && { remoteJid: key.remoteJid }),
    quotedMessage: given === undefined ? { conversation: '' } : preview(given),
  }
}

function isGroup(jid: string): boolean {
  return isJidGroup(jid) === true
}

/** Only the content itself: a quote of a quote, and the settings around it, are no part of a preview. */
function preview(message: proto.IMessage): proto.IMessage {
  const content = normalizeMessageContent(message)
  const type = getContentType(content)
  if (content === undefined || type === undefined) return { conversation: '' }
  const copy = proto.Message.decode(proto.Message.encode({ [type]: content[type] }).finish())
  const inner: unknown = copy[type]
  if (typeof inner === 'object' && inner !== null && 'contextInfo' in inner) delete inner.contextInfo
  return proto.Message.encode(copy).finish().length <= MAX_PREVIEW_BYTES ? copy : { conversation: '' }
}

function readMessage(json: Record<string, unknown>): proto.IMessage {
  try {
    if (JSON.stringify(json).length > MAX_JSON_LENGTH) throw new RangeError('too long')
    const message = proto.Message.fromObject(plain(json, 0) as Record<string, unknown>)
    // Only encoding reads every field.
    proto.Message.encode(message).finish()
    return message
  } catch {
    throw new JobFailure('INVALID_JOB', 'data.quoted.message is not a WhatsApp message')
  }
}

/**
 * The JSON with bytes as protobufjs takes them: base64 text, or what Node makes of a Buffer. Any other object with a
 * `length` is refused: protobufjs believes it and would reserve that much memory.
 */
function plain(value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new RangeError('too deep')
  if (Array.isArray(value)) return value.map(item => plain(item, depth + 1))
  if (typeof value !== 'object' || value === null) return value
  if ('type' in value && value.type === 'Buffer' && 'data' in value) return bufferText(value.data)
  if ('length' in value) throw new TypeError('no message has a length')
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner, depth + 1)]))
}

function bufferText(data: unknown): string {
  if (typeof data === 'string') return data
  if (!Array.isArray(data)) throw new TypeError('no bytes')
  return Buffer.from(data.map(Number)).toString('base64')
}
