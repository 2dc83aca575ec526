import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { FencedError } from './fenced.ts'

/** An answer that passes, by how it begins: the rest may hold what the caller sent. `advice`: what a person can do. */
interface Passing {
  begins: RegExp
  advice?: string
}

/** What Redis answers while it restarts, is full, busy, or was made a replica, and what providers answer at a limit. */
const PASSING: readonly Passing[] = [
  { begins: /^(LOADING|READONLY|MASTERDOWN|BUSY|TRYAGAIN|CLUSTERDOWN|NOREPLICAS|UNBLOCKED)\b/ },
  { begins: /^MISCONF\b/, advice: 'redis cannot write to its disk: look at its log' },
  { begins: /^OOM\b/, advice: 'redis is full: give it more memory, or have the waiting events delivered' },
  { begins: /^ERR DB capacity quota exceeded/, advice: 'the database is full: take a larger plan at its provider' },
  {
    begins: /^ERR max (daily )?requests? limit exceeded/,
    advice: 'the commands of the database’s plan are used up: take a larger one at its provider',
  },
  {
    begins: /^ERR max (concurrent connections exceeded|number of clients reached)/,
    advice: 'redis takes no more connections: raise its limit, or run fewer workers or partitions',
  },
]

/** Redis 6 puts where a script failed before the answer that it got. */
const BEFORE = /^(?:ERR Error running script \(call to \w+\): )?(?:@user_script: ?\d+: )*-?/

/** How often one and the same trouble is told, ms: an outage can fail hundreds of commands a second. */
const TELL_EVERY_MS = 60_000
const PAUSE_MS = 500

function passing(error: Error): Passing | undefined {
  const answer = error.message.replace(BEFORE, '')
  return PASSING.find(({ begins }) => begins.test(answer))
}

/** What ioredis says of a connection that ended, by the names of its errors and by the beginnings of those without one. */
const CONNECTION_NAMES = new Set(['AbortError', 'InterruptError', 'MaxRetriesPerRequestError'])
const CONNECTION_TEXTS =
  /^(Connection is closed|Stream isn't writeable|Socket timeout|Command timed out|connect ETIMEDOUT)/
/** A system's or TLS' code, such as ECONNRESET; Node's own complaints about arguments begin with ERR_. */
const SYSTEM_CODE = /^(E[A-Z]+|ERR_TLS_.*|ERR_SSL_.*)$/

/**
 * Whether an error says no more than that Redis cannot be had now: the same command may be answered later. An error that
 * is not known as one is a defect, or what somebody sent: it would be the same the next time.
 */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof FencedError) return false
  // ioredis gives the server's answers this name.
  if (error.name === 'ReplyError') return passing(error) !== undefined
  if (CONNECTION_NAMES.has(error.name) || CONNECTION_TEXTS.test(error.message)) return true
  return 'code' in error && typeof error.code === 'string' && SYSTEM_CODE.test(error.code)
}

/** Repeats a command that may run twice until Redis can be had; for what has to be known before there is any lease. */
export async function waitOut<T>(command: () => Promise<T>, log: Logger): Promise<T> {
  for (;;) {
    try {
      return await command()
    } catch (error) {
      if (!isOutage(error)) throw error
      tellOutage(log, error, 'redis is away, the worker waits')
      await sleep(PAUSE_MS)
    }
  }
}

const told = new WeakMap<Logger, Map<string, { at: number; more: number }>>()

/**
 * Logs trouble with Redis, each kind at most once a minute, with what to do about it where somebody can. `more` counts the
 * lines that were left out since.
 */
export function tellOutage(log: Logger, error: unknown, what: string): void {
  const message = error instanceof Error ? error.message : String(error)
  const advice = error instanceof Error ? passing(error)?.advice : undefined
  const kinds = told.get(log) ?? new Map<string, { at: number; more: number }>()
  told.set(log, kinds)
  const kind = `${what} ${advice ?? ''}`
  const last = kinds.get(kind)
  const now = performance.now()
  if (last !== undefined && now - last.at < TELL_EVERY_MS) return void (last.more += 1)
  kinds.set(kind, { at: now, more: 0 })
  const fields = { error: message.slice(0, 200), ...(last?.more && { more: last.more }) }
  if (advice === undefined) log.warn(fields, what)
  else log.error({ ...fields, advice }, what)
}
