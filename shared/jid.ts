import * as z from 'zod'
import { coded } from './coded.ts'
import type { FieldCode } from './errors.ts'
import { readPhone, tidy, type Read } from './phone.ts'

/** Session ids are also parts of Redis keys and URLs: letters, digits, dot, underscore, hyphen; 1 to 64. */
export const SESSION_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

const USER_JID = /^[1-9]\d{4,14}@s\.whatsapp\.net$/
const LID_JID = /^\d{1,20}@lid$/
const GROUP_JID = /^\d{1,25}(-\d{1,15})?@g\.us$/
const NEWSLETTER_JID = /^\d{1,25}@newsletter$/
const STATUS_JID = 'status@broadcast'

const ENDINGS = '@s.whatsapp.net, @lid, @g.us or @newsletter'

/**
 * The jid that a recipient means: a jid, or a phone number as `<digits>@s.whatsapp.net`. Understood are also the endings
 * and forms that other programs use: `@c.us`, capitals, and the device in `62812...:7@s.whatsapp.net`.
 */
export function readJid(text: string): Read {
  const plain = tidy(text)
  const at = plain.indexOf('@')
  if (at < 0) return asUser(readPhone(plain))
  const user = plain.slice(0, at).trimEnd()
  const server = plain.slice(at + 1).toLowerCase()
  if (server.includes('@')) return { wrong: 'has more than one @' }
  if (server === 's.whatsapp.net' || server === 'c.us') return asUser(readPhone(withoutDevice(user)))
  const jid = `${server === 'lid' ? withoutDevice(user) : user}@${server}`
  if (isJid(jid)) return { value: jid }
  if (server === 'broadcast') return { wrong: 'is a broadcast list: of those only status@broadcast can be sent to' }
  if (['lid', 'g.us', 'newsletter'].includes(server)) return { wrong: `must have digits alone before @${server}` }
  return { wrong: `must end with ${ENDINGS}, or be a phone number with its country code` }
}

function asUser(phone: Read): Read {
  return 'value' in phone ? { value: `${phone.value}@s.whatsapp.net` } : phone
}

/** WhatsApp writes which of a person's devices is meant behind the user, `62812...:7`, and once wrote `62812..._1:7`. */
function withoutDevice(user: string): string {
  return user.replace(/(?:[._]\d{1,3})?:\d{1,3}$/, '')
}

/** Whether the text is a user, LID, group, newsletter or status jid, without a device part. */
export function isJid(text: string): boolean {
  return isUserJid(text) || isGroupJid(text) || NEWSLETTER_JID.test(text) || text === STATUS_JID
}

/** Whether the text is the jid of a person, by phone number or LID. */
export function isUserJid(text: string): boolean {
  return USER_JID.test(text) || LID_JID.test(text)
}

/** Whether the text is the jid of a group. */
export function isGroupJid(text: string): boolean {
  return GROUP_JID.test(text)
}

/** A session id. */
export const sessionId = z
  .string()
  .check(
    coded(
      text => SESSION_ID.test(text),
      'INVALID_SESSION_ID',
      'must be 1 to 64 letters, digits, dots, underscores or hyphens, and start with a letter or digit',
    ),
  )

/** Text that `read` understands; its output is what `read` makes of it. */
function understood(read: (text: string) => Read, code: FieldCode) {
  return z.string().transform((text, context) => {
    const result = read(text)
    if ('value' in result) return result.value
    context.addIssue({ code: 'custom', message: result.wrong, params: { code } })
    return z.NEVER
  })
}

/** A jid of one kind alone, and what is said of the others. */
const only = (isRight: (jid: string) => boolean, otherwise: (jid: string) => string) =>
  understood(text => {
    const read = readJid(text)
    return 'wrong' in read || isRight(read.value) ? read : { wrong: otherwise(read.value) }
  }, 'INVALID_JID')

/** A recipient: any jid, or a bare phone number. Its output is always a jid. */
export const recipient = understood(readJid, 'INVALID_JID')

/** A person: user or LID jid, or a bare phone number. Its output is always a jid. */
export const person = only(
  isUserJid,
  jid => `is ${isGroupJid(jid) ? 'a group' : 'no person'}: must be a user or LID jid, or a phone number`,
)

/** A group jid. */
export const group = only(isGroupJid, () => 'is no group: must be a group jid such as 1234567890@g.us')

/** A phone number; its output is digits only. */
export const phoneNumber = understood(readPhone, 'INVALID_PHONE_NUMBER')
