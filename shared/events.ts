import * as z from 'zod'
import { sessionId } from './jid.ts'

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

/** An event's name. */
export type EventName = WebhookEvent['event']
