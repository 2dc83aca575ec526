import { DisconnectReason } from '@whiskeysockets/baileys'

/**
 * Why a connection to WhatsApp ended, in our words, and what follows. The one place that knows Baileys' codes.
 *
 * | code          | word               | what follows                                                             |
 * | ------------- | ------------------ | ------------------------------------------------------------------------ |
 * | 515           | restart_required   | reconnect now; it is the normal end of pairing                           |
 * | 440           | replaced           | another socket uses the session: reconnect while the lease is ours, few times |
 * | 401           | logged_out         | the phone unlinked this device: credentials go, pair anew                |
 * | 403           | forbidden          | the account is banned: rest, tell the user                               |
 * | 406           | not_acceptable     | WhatsApp refuses this client for this account: rest, tell the user       |
 * | 411           | device_mismatch    | the account is not set up for linked devices: rest, tell the user        |
 * | 402           | banned_for_a_while | wait until the ban ends                                                  |
 * | 405           | client_outdated    | the current version is looked up, see `web-version.ts`: retry slowly, and ever more slowly |
 * | 408, QR spent | pairing_ended      | nobody scanned: rest until START_SESSION                                 |
 * | 408           | connection_lost    | back off                                                                 |
 * | 428           | connection_closed  | back off                                                                 |
 * | 503           | unavailable        | back off                                                                 |
 * | 500           | stream_error       | back off; also what Baileys says of every error it does not know         |
 * | 400 of Baileys' own | handshake_refused | the server's certificate has not the signature of the key we hold: retry at the slowest pace |
 * | none of WhatsApp's | connection_failed | the WebSocket itself failed: back off, whatever code it carries      |
 * | none of WhatsApp's | inbound_resumed | we left messages at WhatsApp, and have room for them: reconnect now      |
 * | other         | unknown            | back off                                                                 |
 */
export interface Disconnect {
  /** WhatsApp's or Baileys' code. */
  statusCode: number
  reason: DisconnectWord
  policy: Policy
  /** With `wait`: how long, in ms. */
  waitMs?: number
}

/** What to do about a disconnect. Nothing but `log_out` ever removes credentials. */
export type Policy =
  | 'now'
  | 'resume'
  | 'replaced'
  | 'log_out'
  | 'rest'
  | 'wait'
  | 'slow'
  | 'outdated'
  | 'pairing_ended'
  | 'backoff'

/** See {@link Disconnect}. */
export type DisconnectWord =
  | (typeof BY_CODE)[keyof typeof BY_CODE]['reason']
  | 'pairing_ended'
  | 'handshake_refused'
  | 'connection_failed'
  | 'inbound_resumed'
  | 'unknown'

const BY_CODE = {
  515: { reason: 'restart_required', policy: 'now' },
  440: { reason: 'replaced', policy: 'replaced' },
  401: { reason: 'logged_out', policy: 'log_out' },
  403: { reason: 'forbidden', policy: 'rest' },
  406: { reason: 'not_acceptable', policy: 'rest' },
  411: { reason: 'device_mismatch', policy: 'rest' },
  402: { reason: 'banned_for_a_while', policy: 'wait' },
  405: { reason: 'client_outdated', policy: 'outdated' },
  408: { reason: 'connection_lost', policy: 'backoff' },
  428: { reason: 'connection_closed', policy: 'backoff' },
  503: { reason: 'unavailable', policy: 'backoff' },
  500: { reason: 'stream_error', policy: 'backoff' },
} as const satisfies Record<number, { reason: string; policy: Policy }>

const UNKNOWN_CODE = 500
const HANDSHAKE_REFUSED = 400
const QR_REFS_SPENT = 'QR refs attempts ended'
const DEFAULT_BAN_MS = 3_600_000
const MIN_BAN_MS = 60_000
const MAX_BAN_MS = 7 * 24 * 3_600_000

/** Ends a socket that left messages at WhatsApp: the next one gets them. */
export class InboundResumed extends Error {
  constructor() {
    super('there is room for the messages that wait at whatsapp')
    this.name = 'InboundResumed'
  }
}

/** Reads the error with which Baileys closed a connection: a Boom, any other error, or none. */
export function readDisconnect(error: unknown): Disconnect {
  if (error instanceof InboundResumed) {
    return { statusCode: DisconnectReason.restartRequired, reason: 'inbound_resumed', policy: 'resume' }
  }
  const { message, data, output } = (error ?? {}) as { message?: unknown; data?: unknown; output?: unknown }
  const code = (output as { statusCode?: unknown } | undefined)?.statusCode
  const statusCode = typeof code === 'number' ? code : UNKNOWN_CODE

  // Baileys gives an error of the WebSocket the code of its HTTP answer. A proxy's 401 is not a logout.
  if (data instanceof Error) return { statusCode, reason: 'connection_failed', policy: 'backoff' }
  // The only thing that tells it from a connection that was lost is this text.
  if (statusCode === 408 && message === QR_REFS_SPENT)
    return { statusCode, reason: 'pairing_ended', policy: 'pairing_ended' }

  // WhatsApp's own errors come with what it sent; the refusal of its certificate is Baileys' own and comes with nothing.
  if (statusCode === HANDSHAKE_REFUSED && (data === undefined || data === null))
    return { statusCode, reason: 'handshake_refused', policy: 'slow' }

  if (!Object.hasOwn(BY_CODE, statusCode)) return { statusCode, reason: 'unknown', policy: 'backoff' }
  const known = BY_CODE[statusCode as keyof typeof BY_CODE]
  return { statusCode, ...known, ...(known.policy === 'wait' && { waitMs: banMs(data) }) }
}

/** `expire` is the rest of the ban in seconds. It comes from outside, so it is bounded. */
function banMs(data: unknown): number {
  const seconds = Number((data as { expire?: unknown } | undefined)?.expire)
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds * 1000, MIN_BAN_MS), MAX_BAN_MS) : DEFAULT_BAN_MS
}
