import type { HttpCode } from '../../shared/errors.ts'
import { RedisError, type RedisErrorKind } from '../redis/client.ts'
import { SettingsError } from '../settings.ts'
import { Problem } from './problem.ts'

/** Writes one structured log line: static text plus fields, never a key, a token or a message body. */
export type Log = (text: string, fields: Readonly<Record<string, string | number | undefined>>) => void

/** The log of a Worker: one JSON line on standard error. */
export const logLine: Log = (text, fields) => console.error(JSON.stringify({ level: 'error', msg: text, ...fields }))

/** Turns whatever a route threw into the problem to answer with, and logs what an operator has to know. */
export function toProblem(error: unknown, log: Log, requestId: string | undefined): Problem {
  if (error instanceof Problem) return error
  if (error instanceof RedisError) return redisProblem(error, log, requestId)
  if (error instanceof SettingsError) {
    log('the edge is misconfigured', { requestId, error: error.message })
    return new Problem('MISCONFIGURED', { detail: error.message })
  }
  log('a request failed', { requestId, error: error instanceof Error ? error.name : typeof error, ...where(error) })
  return new Problem('INTERNAL')
}

/** What the poster is told of each kind, and what the operator has to do about those that do not pass by themselves. */
const REDIS_PROBLEMS: Record<
  RedisErrorKind,
  { code: HttpCode; detail?: string; retryAfter?: string; remedy?: string }
> = {
  unauthorized: {
    code: 'MISCONFIGURED',
    detail: 'UPSTASH_REDIS_REST_TOKEN is not accepted by Redis',
    remedy: 'set UPSTASH_REDIS_REST_TOKEN to the token of this database',
  },
  too_large: { code: 'BODY_TOO_LARGE', detail: 'the Redis provider takes no request of this size' },
  full: {
    code: 'REDIS_FULL',
    retryAfter: '30',
    remedy: 'give Redis more memory or a larger plan: it takes no more jobs, but what it has is kept and worked off',
  },
  quota: {
    code: 'REDIS_QUOTA_EXCEEDED',
    retryAfter: '300',
    remedy: 'the plan of the Redis provider is used up: take a fixed or a larger one',
  },
  refused: { code: 'REDIS_UNAVAILABLE', retryAfter: '2' },
  unreachable: { code: 'REDIS_UNAVAILABLE', retryAfter: '2' },
}

function redisProblem({ kind, reply }: RedisError, log: Log, requestId: string | undefined): Problem {
  const { code, detail, retryAfter, remedy } = REDIS_PROBLEMS[kind]
  log('redis did not serve a request', { requestId, kind, reply, remedy })
  return new Problem(code, {
    ...(detail !== undefined && { detail }),
    ...(retryAfter !== undefined && { headers: { 'retry-after': retryAfter } }),
  })
}

/** The first frame of a defect's stack: a place in our code, unlike its message, which may quote a body. */
function where(error: unknown): { at?: string } {
  const frame = error instanceof Error ? error.stack?.split('\n').find(line => /^\s+at /.test(line)) : undefined
  return frame === undefined ? {} : { at: frame.trim() }
}
