import { JobFailure, type Retry } from '../jobs/job.ts'
import { refusalOf } from './refusals.ts'

/** WhatsApp's server refused a message or a request. */
export class Refused extends JobFailure {
  /** The server's, such as `463`. */
  readonly serverCode: string

  constructor(serverCode: string, message: string, retry: Retry) {
    super('WHATSAPP_REFUSED', message, retry)
    this.serverCode = serverCode
  }
}

/** WhatsApp's server refused with this code. The code leads the message, so that a person and a program can read it. */
export function refused(code: string): Refused {
  const { text, retry } = refusalOf(code)
  // The code comes from the network and ends in a log and in Redis.
  const shown = /^\w{1,20}$/.test(code) ? code : 'unknown'
  return new Refused(shown, `${shown} ${text}`, retry)
}

/** The socket closed under a job: it keeps its place and runs again when the session is open. */
export function socketClosed(): JobFailure {
  return new JobFailure('INTERNAL', 'the connection to WhatsApp closed', 'wait')
}

/** Baileys' status codes (Boom) for a socket that is gone or an answer that never came. */
const CLOSED = 428
const TIMED_OUT = 408

/** What Baileys throws: a Boom whose `data` is WhatsApp's error code when a request was answered with an error. */
interface BaileysError {
  statusCode: number | undefined
  serverCode: string | undefined
}

/**
 * The failure that an error of Baileys stands for; the error itself when it is none of WhatsApp's doing. It reads
 * codes, never message texts.
 */
export function toFailure(error: unknown): unknown {
  if (error instanceof JobFailure) return error
  const { statusCode, serverCode } = readError(error)
  if (serverCode !== undefined) return refused(serverCode)
  if (statusCode === CLOSED) return socketClosed()
  if (statusCode === TIMED_OUT) {
    return new JobFailure('ACK_TIMEOUT', 'WhatsApp did not answer a request in time', 'backoff')
  }
  return error
}

/** WhatsApp's error code of a request that it refused, undefined for any other error. */
export function serverCodeOf(error: unknown): string | undefined {
  return readError(error).serverCode
}

function readError(error: unknown): BaileysError {
  if (!(error instanceof Error) || !('isBoom' in error)) return { statusCode: undefined, serverCode: undefined }
  const { data, output } = error as Error & { data?: unknown; output?: { statusCode?: unknown } }
  const statusCode = typeof output?.statusCode === 'number' ? output.statusCode : undefined
  const code = typeof data === 'number' || typeof data === 'string' ? String(data) : ''
  return { statusCode, serverCode: /^\d{3}$/.test(code) ? code : undefined }
}
