import type { Dispatcher } from 'undici'
import { sign, type SigningKey } from '../../shared/signature.ts'
import type { Clock } from '../core.ts'
import { parseRetryAfter } from './schedule.ts'

const TIMEOUT_MS = 15_000
/** A response's body tells us nothing; so much of it is read that the connection can be kept. */
const BODY_LIMIT = 8 * 1024

/** Who receives the events. */
export interface EndpointDeps {
  url: URL
  /** Imported secrets, the one to sign with first in front. */
  secrets: readonly SigningKey[]
  /** The guarded agent: where it may connect to is its matter. */
  dispatcher: Dispatcher
  clock: Clock
  /** Of the data in Redis; goes with each event, since `kurir-seq` counts within one. */
  generation: () => number
  /** Time for one attempt, from connecting to the end of the response. Default 15,000. */
  timeoutMs?: number
}

/** One event on its way. `id` is its webhook-id; `attempt` counts from 1; `body` is the stored text, byte for byte. */
export interface Delivery {
  id: string
  seq: number
  attempt: number
  body: string
}

/**
 * How an attempt ended. `retry.reason` is a status (`HTTP 503`) or an error's code (`ECONNREFUSED`, `TIMEOUT`).
 * `gone`: the endpoint wants no more. `aborted`: we stopped it ourselves, and do not know whether it arrived.
 */
export type Outcome =
  | { kind: 'delivered'; status: number }
  | { kind: 'retry'; reason: string; retryAfterMs?: number | undefined }
  | { kind: 'gone' }
  | { kind: 'aborted' }

/** Makes one attempt. Never throws. */
export type Attempt = (delivery: Delivery, signal: AbortSignal) => Promise<Outcome>

/** An endpoint that signs after Standard Webhooks and posts over kept connections. Redirects count as failures. */
export function createEndpoint(deps: EndpointDeps): Attempt {
  const { url, secrets, dispatcher, clock, timeoutMs = TIMEOUT_MS } = deps
  const path = `${url.pathname}${url.search}`

  async function post(delivery: Delivery, signal: AbortSignal): Promise<Outcome> {
    const body = Buffer.from(delivery.body)
    const signature = await sign(secrets, delivery.id, Math.floor(clock.now() / 1000), body)
    const response = await dispatcher.request({
      origin: url.origin,
      path,
      method: 'POST',
      headers: {
        ...signature,
        'content-type': 'application/json',
        'user-agent': 'Kurir (webhooks)',
        'kurir-seq': String(delivery.seq),
        'kurir-generation': String(deps.generation()),
        'kurir-attempt': String(delivery.attempt),
      },
      body,
      signal,
      // Our own limit on the whole attempt is shorter than any limit on a part of it.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    // The status stands; a body that is too long or breaks off changes nothing.
    await response.body.dump({ limit: BODY_LIMIT, signal }).catch(() => undefined)
    return outcomeOf(response, clock.now())
  }

  return async (delivery, signal) => {
    const timeout = new AbortController()
    const timer = setTimeout(() => timeout.abort(), timeoutMs)
    try {
      return await post(delivery, AbortSignal.any([signal, timeout.signal]))
    } catch (error) {
      if (signal.aborted) return { kind: 'aborted' }
      return { kind: 'retry', reason: timeout.signal.aborted ? 'TIMEOUT' : codeOf(error) }
    } finally {
      clearTimeout(timer)
    }
  }
}

function outcomeOf({ statusCode, headers }: Dispatcher.ResponseData, now: number): Outcome {
  if (statusCode >= 200 && statusCode < 300) return { kind: 'delivered', status: statusCode }
  if (statusCode === 410) return { kind: 'gone' }
  const header = headers['retry-after']
  const retryAfterMs = parseRetryAfter(typeof header === 'string' ? header : undefined, now)
  return { kind: 'retry', reason: `HTTP ${statusCode}`, retryAfterMs }
}

/** The code of a system or undici error, else its class; its message may hold the endpoint's host or worse. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'UNKNOWN'
  const { code } = error as { code?: unknown }
  if (typeof code === 'string') return code
  return error.cause instanceof Error ? codeOf(error.cause) : error.name
}
