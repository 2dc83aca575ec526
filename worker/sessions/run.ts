import type { JobResult } from '../../shared/receipt.ts'
import { JobFailure, type Job } from '../jobs/job.ts'
import type { Turn } from '../jobs/lane/turn.ts'
import type { Connection } from './connection.ts'
import type { Handlers, SessionJobName } from '../handlers/handler.ts'
import type { SendContext } from '../whatsapp/send.ts'
import type { SentStore } from '../whatsapp/sent-store.ts'
import type { SessionContext } from '../core.ts'

/** Who runs a job, and for which session. */
export interface Runner {
  handlers: Handlers
  sent: SentStore
  session: SessionContext
}

/**
 * Runs a job on an open connection. Ends when the connection does, even if the handler does not: some of Baileys'
 * queries never end once their socket has closed. Such a job waits for the next connection and runs again, and so does
 * one whose handler failed because the socket went away under it.
 */
export async function runInConnection(
  { handlers, sent, session }: Runner,
  connection: Connection | undefined,
  job: Job<SessionJobName>,
  signal: AbortSignal,
  turn: Turn,
): Promise<JobResult> {
  if (connection === undefined) throw waits('the session is not open')
  const { sock, gate, acks, groups, devices, closed } = connection
  const context: SendContext = { ...session, sock, gate, acks, sent, groups, devices, turn }
  // The name and the data of a job belong together; the compiler cannot see that through a lookup by name.
  const handler = handlers[job.name] as (context: SendContext, job: Job, signal: AbortSignal) => Promise<JobResult>
  try {
    return await endsWith(closed, handler(context, job, AbortSignal.any([signal, closed])))
  } catch (error) {
    if (closed.aborted || !sock.ws.isOpen) throw waits('the connection ended', error)
    throw error
  }
}

/** The outcome of the work, or a rejection as soon as the signal aborts. */
async function endsWith<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(new Error('the connection ended'))
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([work, promise])
  } finally {
    // A socket lives for weeks and runs a million jobs: nothing of them may stay on its signal.
    signal.removeEventListener('abort', onAbort)
  }
}

function waits(message: string, cause?: unknown): JobFailure {
  const failure = new JobFailure('INTERNAL', message, 'wait')
  failure.cause = cause
  return failure
}
