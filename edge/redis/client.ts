import { toHex } from '../http/digest.ts'

/** A value as Redis replied it. */
export type Reply = string | number | null | Reply[]

/** A Lua script and its SHA-1, by which Redis remembers it. */
export interface Script {
  text: string
  sha1: string
}

/** Redis over REST, as much of it as the edge needs. Each call has one deadline in all. */
export interface RedisClient {
  /** Runs one command. Throws {@link RedisError}. */
  command(...command: string[]): Promise<Reply>
  /** Runs a script by its SHA-1, and by its text only when Redis does not know it yet. Throws {@link RedisError}. */
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<Reply>
}

/**
 * Why a command has no reply. `unreachable`: no answer, or none of Redis; whether the command ran is unknown.
 * `refused`: Redis answered with an error, whose first word is `reply`. `unauthorized`: the token is wrong.
 * `too_large`: the provider takes no request of this size. `full`: no memory is left for what is to be stored. `quota`:
 * the plan's commands or connections are used up; neither of the two passes by waiting a few seconds.
 */
export type RedisErrorKind = 'unreachable' | 'refused' | 'unauthorized' | 'too_large' | 'full' | 'quota'

/** See {@link RedisErrorKind}. It never carries the command or Redis' own text: both hold message bodies. */
export class RedisError extends Error {
  readonly kind: RedisErrorKind
  readonly reply: string

  constructor(kind: RedisErrorKind, reply = '') {
    super(`redis: ${kind} ${reply}`.trimEnd())
    this.name = 'RedisError'
    this.kind = kind
    this.reply = reply
  }
}

/** The body of an answer, if it is one of Upstash's. */
type Answer = { result?: Reply; error?: unknown } | null

/**
 * A client of Upstash's REST API. One HTTP request per command and never a second try: a request whose answer is lost
 * may have run, and sending it again would add its jobs twice. (@upstash/redis tries twice even with `retry: false`, and
 * puts the whole command, message bodies included, into its errors.)
 */
export function createRedisClient(options: { url: string; token: string; timeoutMs: number }): RedisClient {
  const headers = { authorization: `Bearer ${options.token}`, 'content-type': 'application/json' }
  const send = async (command: readonly string[], signal: AbortSignal): Promise<Reply> => {
    let status = 0
    let answer: Answer
    try {
      const body = JSON.stringify(command)
      const response = await fetch(options.url, { method: 'POST', headers, body, redirect: 'manual', signal })
      status = response.status
      const json: unknown = await response.json()
      answer = json as Answer
    } catch {
      // What stands in front of the provider answers in HTML: then the status alone speaks.
      throw toError(status, undefined)
    }
    if (status === 200 && answer?.result !== undefined) return answer.result
    throw toError(status, answer?.error)
  }
  return {
    command: (...command) => send(command, AbortSignal.timeout(options.timeoutMs)),
    async run(script, keys, args) {
      const signal = AbortSignal.timeout(options.timeoutMs)
      const tail = [String(keys.length), ...keys, ...args]
      try {
        return await send(['EVALSHA', script.sha1, ...tail], signal)
      } catch (error) {
        if (!(error instanceof RedisError) || error.reply !== 'NOSCRIPT') throw error
        return await send(['EVAL', script.text, ...tail], signal)
      }
    },
  }
}

/**
 * The errors of Redis and of Upstash by the beginning of their text: what follows it may be the caller's. The texts are
 * those of Upstash's troubleshooting pages; Redis 6 wraps an error of a script, Redis 7 does not.
 */
const KINDS: readonly [RegExp, RedisErrorKind][] = [
  [/^ERR max request size exceeded/, 'too_large'],
  [/^ERR max (daily )?requests? limit exceeded/, 'quota'],
  [/^ERR max concurrent connections/, 'quota'],
  [/^ERR DB capacity quota exceeded/, 'full'],
  [/^(ERR Error running script \(call to \w+\): @user_script: ?\d+: -)?OOM /, 'full'],
]

function toError(status: number, error: unknown): RedisError {
  if (status === 401 || status === 403) return new RedisError('unauthorized')
  if (status === 413) return new RedisError('too_large')
  if (typeof error !== 'string' || status >= 500) return new RedisError('unreachable')
  const reply = /^[A-Z]+/.exec(error)?.[0] ?? 'ERR'
  const [, kind = 'refused'] = KINDS.find(([beginning]) => beginning.test(error)) ?? []
  return new RedisError(kind, reply)
}

/** Prepares a script for {@link RedisClient.run}. */
export async function prepareScript(text: string): Promise<Script> {
  const digest = await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text))
  return { text, sha1: toHex(digest) }
}
