import * as z from 'zod'
import { JOB_CODES } from './errors.ts'
import { sessionId } from './jid.ts'
import { jobResult } from './receipt.ts'

const messageKey = z.looseObject({
  remoteJid: z.string(),
  fromMe: z.boolean(),
  id: z.string(),
})

/** Messages from WhatsApp. Binary fields are base64, 64-bit numbers are numbers while they are safe. */
export const messagesUpsert = z.object({
  event: z.literal('messages.upsert'),
  sessionId,
  /** Unix time in seconds. */
  timestamp: z.number().int(),
  data: z.object({
    messages: z.array(
      z.looseObject({
        key: messageKey,
        message: z.record(z.string(), z.unknown()).optional(),
        pushName: z.string().optional(),
      }),
    ),
    /** `notify` for live messages, `append` for those that waited while the session was offline. */
    type: z.enum(['notify', 'append']),
  }),
})

/** A change of a session's connection. */
export const connectionUpdate = z.object({
  event: z.literal('connection.update'),
  sessionId,
  /** Unix time in seconds. */
  timestamp: z.number().int(),
  data: z.looseObject({
    connection: z.enum(['connecting', 'open', 'close']),
    /** Only while the connection is not open and a scan is needed. */
    qr: z.string().optional(),
    /** Only when the connection closed. */
    lastDisconnect: z.record(z.string(), z.unknown()).optional(),
  }),
})

/** The body of a webhook: one of the contract's events. */
export const webhookEvent = z.discriminatedUnion('event', [messagesUpsert, connectionUpdate])

/** See {@link webhookEvent}. */
export type WebhookEvent = z.infer<typeof webhookEvent>

const ended = {
  jobId: z.string(),
  name: z.string(),
  /** Attempts that were made. */
  attempts: z.number().int(),
}

/** A job has done what it should. */
export const jobCompleted = z.object({
  event: z.literal('job.completed'),
  sessionId,
  /** Unix time in seconds. */
  timestamp: z.number().int(),
  data: z.object({ ...ended, result: jobResult }),
})

/** A job has failed for good. */
export const jobFailed = z.object({
  event: z.literal('job.failed'),
  sessionId,
  /** Unix time in seconds. */
  timestamp: z.number().int(),
  data: z.object({ ...ended, error: z.object({ code: z.enum(JOB_CODES), message: z.string() }) }),
})

/** How a job ended. Not of the contract: it is sent only where the worker's setting JOB_EVENTS is on. */
export const jobEvent = z.discriminatedUnion('event', [jobCompleted, jobFailed])

/** See {@link jobEvent}. */
export type JobEvent = z.infer<typeof jobEvent>

/** Events that webhooks tell of where the worker's setting WEBHOOK_UPDATES names them: Baileys' own, and those below. */
export const UPDATE_NAMES = [
  'messages.update',
  'message-receipt.update',
  'groups.update',
  'group-participants.update',
  'presence.update',
  'contacts.update',
  'call',
  'messages.reaction',
  'messages.delete',
  /** `{key, voter, selectedOptions}`: Baileys has no event for it any more. */
  'polls.vote',
  /** A message that could not be decrypted: `{key, reason}`. Baileys has no event for it. */
  'messages.undecryptable',
] as const

/** One of {@link UPDATE_NAMES}. */
export type UpdateName = (typeof UPDATE_NAMES)[number]

/** Posts that webhooks leave out unless they are asked for: of a busy account they are most of what comes in. */
export const POSTS = ['status', 'channels'] as const

/** What a session's webhooks tell beside messages and connections: events by their names, and whose posts. */
export type Told = ReadonlySet<UpdateName | (typeof POSTS)[number]>

/** An update of WhatsApp, with Baileys' own data. Not of the contract. */
export const updateEvent = z.object({
  event: z.enum(UPDATE_NAMES),
  sessionId,
  /** Unix time in seconds. */
  timestamp: z.number().int(),
  data: z.union([z.array(z.record(z.string(), z.unknown())), z.record(z.string(), z.unknown())]),
})

/** See {@link updateEvent}. */
export type UpdateEvent = z.infer<typeof updateEvent>

/** Every body that a webhook may have: the contract's events, and ours where they are switched on. */
export const outboxEvent = z.discriminatedUnion('event', [
  messagesUpsert,
  connectionUpdate,
  jobCompleted,
  jobFailed,
  updateEvent,
])

/** See {@link outboxEvent}. */
export type OutboxEvent = z.infer<typeof outboxEvent>
