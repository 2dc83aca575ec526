import { RedisError } from '../redis/client.ts'
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

function redisProblem(error: RedisError, log: Log, requestId: string | undefined): Problem {
  log('redis did not serve a request', { requestId, kind: error.kind, reply: error.reply })
  if (error.kind === 'unauthorized') {
    return new Problem('MISCONFIGURED', { detail: 'UPSTASH_REDIS_REST_TOKEN is not accepted by Redis' })
  }
  if (error.kind === 'too_large') {
    return new Problem('BODY_TOO_LARGE', { detail: 'the Redis provider takes no request of this size' })
  }
  return new Problem('REDIS_UNAVAILABLE', { headers: { 'retry-after': '2' } })
}

/** The first frame of a defect's stack: a place in our code, unlike its message, which may quote a body. */
function where(error: unknown): { at?: string } {
  const frame = error instanceof Error ? error.stack?.split('\n').find(line => /^\s+at /.test(line)) : undefined
  return frame === undefined ? {} : { at: frame.trim() }
}
