import * as z from 'zod'
import { coded } from './coded.ts'
import type { FieldCode } from './errors.ts'

/** Session ids are also parts of Redis keys and URLs: letters, digits, dot, underscore, hyphen; 1 to 64. */
export const SESSION_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** E.164 without the plus sign; WhatsApp itself takes 5 to 15 digits. */
const PHONE_DIGITS = /^[1-9]\d{4,14}$/
const USER_JID = /^[1-9]\d{4,14}@s\.whatsapp\.net$/
const LID_JID = /^\d{1,20}@lid$/
const GROUP_JID = /^\d{1,25}(-\d{1,15})?@g\.us$/
const NEWSLETTER_JID = /^\d{1,25}@newsletter$/
const STATUS_JID = 'status@broadcast'

/** Digits of a phone number as people write it (`+62 812-3456-789`), or undefined when it is none. */
export function phoneDigits(text: string): string | undefined {
  if (!/^\+?[\d\s().-]{5,30}$/.test(text)) return undefined
  const digits = text.replaceAll(/\D/g, '')
  return PHONE_DIGITS.test(digits) ? digits : undefined
}

/** The jid that a recipient means: a jid as it stands, a bare phone number as `<digits>@s.whatsapp.net`. */
export function toJid(text: string): string | undefined {
  if (text.includes('@')) return isJid(text) ? text : undefined
  const digits = phoneDigits(text)
  return digits === undefined ? undefined : `${digits}@s.whatsapp.net`
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
function understood(read: (text: string) => string | undefined, ...fault: [code: FieldCode, message: string]) {
  return z
    .string()
    .check(coded(text => read(text) !== undefined, ...fault))
    .transform(text => read(text) ?? text)
}

/** A recipient: any jid, or a bare phone number. Its output is always a jid. */
export const recipient = understood(
  toJid,
  'INVALID_JID',
  'must be a user, LID, group, newsletter or status jid, or a phone number with its country code',
)

/** A person: user or LID jid, or a bare phone number. Its output is always a jid. */
export const person = understood(
  text => {
    const jid = toJid(text)
    return jid !== undefined && isUserJid(jid) ? jid : undefined
  },
  'INVALID_JID',
  'must be a user or LID jid, or a phone number with its country code',
)

/** A group jid. */
export const group = z.string().check(coded(isGroupJid, 'INVALID_JID', 'must be a group jid such as 1234567890@g.us'))

/** A phone number; its output is digits only. */
export const phoneNumber = understood(
  phoneDigits,
  'INVALID_PHONE_NUMBER',
  'must be a phone number with its country code, 5 to 15 digits',
)
