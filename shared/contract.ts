import * as z from 'zod'
import { coded, fieldErrors, type FieldError } from './coded.ts'
import { isEmoji } from './emoji.ts'
import { group, person, phoneNumber, recipient, sessionId } from './jid.ts'
import { media } from './media.ts'
import { unknownFields } from './unknown-fields.ts'
import { isVisible, seenAs } from './visible.ts'
import { findMalformed } from './well-formed.ts'

/** Longest text of a message, in UTF-16 units. WhatsApp's own clients stop at half of it. */
export const MAX_TEXT_LENGTH = 131_072
/** WhatsApp's limits for polls and groups. */
export const MAX_POLL_OPTIONS = 12
const MAX_PARTICIPANTS = 1024
const MAX_CONTACTS = 256

const text = z.string().check(
  coded(isVisible, 'EMPTY_TEXT', 'must have something that can be seen'),
  coded(value => value.length <= MAX_TEXT_LENGTH, 'TEXT_TOO_LONG', `must be at most ${MAX_TEXT_LENGTH} characters`),
)

const shortText = (limit: number) =>
  z.string().check(
    coded(isVisible, 'EMPTY_TEXT', 'must have something that can be seen'),
    coded(value => value.length <= limit, 'TEXT_TOO_LONG', `must be at most ${limit} characters`),
  )

/** A list whose length is checked before its elements: of 200,000 wrong ones, each would be an error of its own. */
const persons = z
  .array(z.unknown())
  .check(
    coded(list => list.length <= MAX_PARTICIPANTS, 'TOO_MANY_PARTICIPANTS', `must name at most ${MAX_PARTICIPANTS}`),
  )
  .pipe(z.array(person))
  // Who was named twice, in one spelling or two, is still one person.
  .transform(list => [...new Set(list)])

const participants = z
  .array(z.unknown())
  .check(coded(list => list.length > 0, 'NO_PARTICIPANTS', 'must name at least one participant'))
  .pipe(persons)

/** The key of an existing message: which chat, whose, which id; `participant` is its author in a group. */
export const targetKey = z.object({
  remoteJid: recipient,
  fromMe: z.boolean().optional(),
  id: z.string().min(1).max(128),
  participant: person.optional(),
})

/** Of a message in a group, its author must be known: WhatsApp finds the message by both. Our own needs no name. */
const namedKey = targetKey.check(
  coded(
    ({ remoteJid, fromMe, participant }) =>
      !remoteJid.endsWith('@g.us') || fromMe === true || participant !== undefined,
    'NO_AUTHOR',
    'must have the participant who wrote the message, as the webhook told it, since it is in a group',
  ),
)

const sendReaction = z
  .object({
    sessionId,
    to: recipient,
    key: namedKey,
    /** One emoji; the empty string removes the reaction. */
    emoji: z
      .string()
      .max(64)
      .check(
        coded(emoji => emoji === '' || isEmoji(emoji), 'NOT_AN_EMOJI', 'must be one emoji, or "" to take it back'),
      ),
  })
  .superRefine(({ to, key }, context) => {
    // A person's chat may be named by number or by LID, and only the worker knows which belong together.
    const isSame =
      to === key.remoteJid || (isPerson(to) && isPerson(key.remoteJid) && serverOf(to) !== serverOf(key.remoteJid))
    if (isSame) return
    context.addIssue({
      code: 'custom',
      path: ['key', 'remoteJid'],
      message: 'must be the chat of `to`: a reaction goes where the message is',
      params: { code: 'OTHER_CHAT' },
    })
  })

function serverOf(jid: string): string {
  return jid.slice(jid.indexOf('@') + 1)
}

function isPerson(jid: string): boolean {
  return ['s.whatsapp.net', 'lid'].includes(serverOf(jid))
}

/** People whose cards are sent; WhatsApp's clients show so many in one message. */
const contacts = z
  .array(z.unknown())
  .check(
    coded(list => list.length > 0, 'NO_CONTACTS', 'must have at least one contact'),
    coded(list => list.length <= MAX_CONTACTS, 'TOO_MANY_CONTACTS', `must have at most ${MAX_CONTACTS} contacts`),
  )
  .pipe(z.array(z.object({ name: shortText(255), phoneNumber, organization: shortText(255).optional() })))

const pollOptions = z
  .array(z.unknown())
  .check(
    coded(list => list.length >= 2, 'POLL_TOO_FEW_OPTIONS', 'must have at least 2 options'),
    coded(
      list => list.length <= MAX_POLL_OPTIONS,
      'POLL_TOO_MANY_OPTIONS',
      `must have at most ${MAX_POLL_OPTIONS} options`,
    ),
  )
  .pipe(
    z
      .array(shortText(100))
      .check(
        coded(
          list => new Set(list.map(seenAs)).size === list.length,
          'POLL_DUPLICATE_OPTION',
          'must not repeat an option',
        ),
      ),
  )

const sendPoll = z
  .object({
    sessionId,
    to: recipient,
    name: shortText(255),
    options: pollOptions,
    /** How many options a voter may choose; 0 means any number. */
    selectableCount: z.number().int().nonnegative().default(0),
  })
  .superRefine((poll, context) => {
    if (poll.selectableCount <= poll.options.length) return
    context.addIssue({
      code: 'custom',
      path: ['selectableCount'],
      message: 'must not be above the number of options',
      params: { code: 'POLL_SELECTABLE_COUNT' },
    })
  })

/**
 * The data of each job, by job name. The single source: types, HTTP validation and the worker's own check of what a
 * foreign producer put into the queue all come from here. Unknown fields are dropped; {@link checkJob} names them.
 */
export const jobSchemas = {
  START_SESSION: z.object({
    sessionId,
    /** With it, the session is linked by an 8-character pairing code instead of a QR. Digits, with country code. */
    phoneNumber: phoneNumber.optional(),
  }),
  STOP_SESSION: z.object({ sessionId }),
  DELETE_SESSION: z.object({ sessionId }),
  SEND_TEXT: z.object({ sessionId, to: recipient, text, mentions: persons.optional() }),
  SEND_MEDIA: z.object({
    sessionId,
    to: recipient,
    type: z.enum(['image', 'video', 'audio', 'document', 'sticker']),
    media,
    /** Used for image, video and document; ignored for the other types. */
    caption: z.string().max(MAX_TEXT_LENGTH).optional(),
    /** Used for document; ignored for the other types. */
    fileName: z.string().max(255).optional(),
    mimetype: z
      .string()
      .regex(/^[a-z0-9.+-]+\/[a-z0-9.+-]+(;\s*[a-z0-9-]+=[a-z0-9."+_-]+)*$/i)
      .max(127)
      .optional(),
    /** Used for audio (voice note); ignored for the other types. */
    ptt: z.boolean().optional(),
  }),
  SEND_POLL: sendPoll,
  SEND_REACTION: sendReaction,
  SEND_REPLY: z.object({
    sessionId,
    to: recipient,
    text,
    quoted: z.object({ key: namedKey, message: z.record(z.string(), z.unknown()).optional() }),
  }),
  SEND_LOCATION: z.object({
    sessionId,
    to: recipient,
    /** In degrees, north and east positive. */
    latitude: z.number().min(-90).max(90),
    longitude: z.number().min(-180).max(180),
    name: shortText(1000).optional(),
    address: shortText(1000).optional(),
  }),
  SEND_CONTACT: z.object({ sessionId, to: recipient, contacts }),
  GROUP_CREATE: z.object({ sessionId, subject: shortText(100), participants }),
  GROUP_UPDATE_PARTICIPANTS: z.object({
    sessionId,
    jid: group,
    action: z.enum(['add', 'remove', 'promote', 'demote']),
    participants,
  }),
} as const

/** A job's name in the contract. */
export type JobName = keyof typeof jobSchemas

/** All job names: the contract's ten, and those that are ours. */
export const JOB_NAMES = Object.keys(jobSchemas) as JobName[]

/** The checked data of a job: jids are complete, unknown fields are gone. */
export type JobData<N extends JobName = JobName> = z.infer<(typeof jobSchemas)[N]>

/** A checked job: its name and data belong together. */
export type ContractJob = { [N in JobName]: { name: N; data: JobData<N> } }[JobName]

/**
 * The outcome of a check: the job, or what is wrong with it. `unknown`: the fields that would be ignored. The edge refuses
 * them; a foreign producer, which nobody answers, is told in the job's result.
 */
export type JobCheck = { ok: true; job: ContractJob; unknown: FieldError[] } | { ok: false; errors: FieldError[] }

/** The fields that a caller has from a webhook, and hands back as they came. */
const AS_GIVEN: ReadonlySet<string> = new Set(['key', 'quoted'])

/** Checks one job's name and data against the contract. `base` stands before the paths of errors. */
export function checkJob(name: unknown, data: unknown, base = ''): JobCheck {
  if (!isJobName(name)) {
    const path = base === '' ? 'name' : `${base}.name`
    const error: FieldError =
      name === undefined
        ? { path, code: 'MISSING_FIELD', message: 'a job needs a name' }
        : { path, code: 'UNKNOWN_JOB', message: `must be one of ${JOB_NAMES.join(', ')}` }
    return { ok: false, errors: [error] }
  }
  const path = base === '' ? 'data' : `${base}.data`
  const malformed = findMalformed(data, path)
  if (malformed.length > 0) return { ok: false, errors: malformed }
  const result = jobSchemas[name].safeParse(data, { reportInput: true })
  const unknown = unknownFields(jobSchemas[name], data, { owner: name, path, asGiven: AS_GIVEN })
  if (!result.success) return { ok: false, errors: [...fieldErrors(result.error, path), ...unknown] }
  return { ok: true, job: { name, data: result.data } as ContractJob, unknown }
}

/** Whether this is the name of a job of the contract. */
export function isJobName(name: unknown): name is JobName {
  return typeof name === 'string' && Object.hasOwn(jobSchemas, name)
}

/** The contract's job options; what a producer of ours gives every job. */
export const JOB_OPTIONS = {
  attempts: 3,
  backoff: { type: 'exponential', delay: 1000 },
  removeOnComplete: true,
  removeOnFail: false,
} as const
