import type { Retry } from '../jobs/job.ts'

/** What an error code of WhatsApp's server means and whether the same message may be tried again. */
interface Refusal {
  text: string
  retry: Retry
}

/**
 * Error codes that WhatsApp's server answers to messages and requests. Sources: Baileys 7 (`SERVER_ERROR_CODES`,
 * `NACK_REASONS` in decode-wa-message), whatsmeow (`errors.go`). Only the server's own trouble is worth a retry: a
 * repeat after 463 counts as another "reach out" and makes the restriction worse.
 */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  400: { text: 'bad request', retry: 'never' },
  401: { text: 'not authorized', retry: 'never' },
  403: { text: 'forbidden', retry: 'never' },
  404: { text: 'not found', retry: 'never' },
  405: { text: 'not allowed', retry: 'never' },
  406: { text: 'not acceptable', retry: 'never' },
  409: { text: 'conflict', retry: 'never' },
  410: { text: 'gone', retry: 'never' },
  419: { text: 'a limit is reached', retry: 'never' },
  423: { text: 'locked', retry: 'never' },
  429: { text: 'too many requests', retry: 'backoff' },
  463: { text: 'WhatsApp lets this account write to no stranger now, and takes the recipient for one', retry: 'never' },
  479: { text: 'the message was malformed for one of the devices', retry: 'never' },
  500: { text: 'internal server error', retry: 'backoff' },
  503: { text: 'service unavailable', retry: 'backoff' },
  530: { text: 'partial server error', retry: 'backoff' },
}

/** What a code means, and whether to try again; an unknown one is final. */
export function refusalOf(code: string): Refusal {
  // Codes come from the network: `constructor` is none.
  return Object.hasOwn(REFUSALS, code) ? (REFUSALS[code] ?? UNKNOWN) : UNKNOWN
}

const UNKNOWN: Refusal = { text: 'refused', retry: 'never' }
