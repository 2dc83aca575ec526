import * as z from 'zod'
import { JOB_CODES } from './errors.ts'
import { readJson } from './json.ts'

/** How long a receipt is kept after its job ended, in seconds. */
export const RECEIPT_TTL_SECONDS = 24 * 60 * 60

/** The key of a message that was sent. */
export const sentKey = z.object({
  remoteJid: z.string(),
  fromMe: z.boolean(),
  id: z.string(),
})

/** The status of a participant of whom WhatsApp's answer says nothing: it left the person out without a word. */
export const UNANSWERED = 'unanswered'

/** What a completed job returns; BullMQ's `returnvalue` and the status API's `result`. */
export const jobResult = z.object({
  /** Of the message that was sent. */
  key: sentKey.optional(),
  /** Of the group that was created. */
  groupJid: z.string().optional(),
  /** What WhatsApp said of each participant, each once: `200`, its error code, or {@link UNANSWERED}. */
  participants: z.array(z.object({ jid: z.string(), status: z.string() })).optional(),
  /** What of the job's data was ignored, when a foreign producer added it: fields that its schema does not have. */
  warnings: z.array(z.object({ path: z.string(), code: z.string(), message: z.string() })).optional(),
  /** Of REPLAY_EVENTS: how many events are sent again. */
  replayed: z.number().int().optional(),
  /** Of REDRIVE_EVENT: the event's new seq. */
  seq: z.number().int().optional(),
})

/** See {@link jobResult}. */
export type JobResult = z.infer<typeof jobResult>

/**
 * How a finished job ended, kept with a TTL because BullMQ removes completed jobs. A Redis hash of strings: `sessionId`,
 * `name`, `state`, `attempts`, `result` (JSON) or `code` and `message`, `finishedAt` (ms).
 */
export const receipt = z.object({
  sessionId: z.string(),
  name: z.string(),
  state: z.enum(['completed', 'failed']),
  attempts: z.coerce.number().int(),
  result: z.string().transform(readJson).pipe(jobResult).optional(),
  code: z.enum(JOB_CODES).optional(),
  message: z.string().optional(),
  finishedAt: z.coerce.number().int(),
})

/** See {@link receipt}. */
export type Receipt = z.infer<typeof receipt>

/** Reads a receipt from its Redis hash; undefined when it is not there or cannot be read, as if it had expired. */
export function readReceipt(hash: Record<string, string>): Receipt | undefined {
  return receipt.safeParse(hash).data
}
