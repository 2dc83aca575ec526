/** How often an event is tried. All times in ms. */
export interface RetryPolicy {
  /** Pauses before the 2nd, 3rd, ... attempt; the last one repeats. Each is shortened by up to a fifth at random. */
  delays: readonly number[]
  /** An event whose first attempt is this long ago is parked when it fails again. */
  giveUpAfterMs: number
  /** Longest Retry-After that is obeyed; a receiver cannot silence us for longer than this. */
  longestRetryAfterMs: number
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** Quick at first, for a receiver that restarts; every 6 h in the end; parked after 7 days. */
export const RETRY_POLICY: RetryPolicy = {
  delays: [
    2 * SECOND,
    5 * SECOND,
    30 * SECOND,
    2 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    4 * HOUR,
    6 * HOUR,
  ],
  giveUpAfterMs: 7 * 24 * HOUR,
  longestRetryAfterMs: 6 * HOUR,
}

/** An attempt that failed. Times in Unix ms; `attempt` counts from 1; `retryAfterMs` is what the receiver asked for. */
export interface Failure {
  attempt: number
  firstAttemptAt: number
  now: number
  retryAfterMs?: number | undefined
}

/** When an event is tried again, in Unix ms, or undefined when it is time to give up. `random` is in [0, 1). */
export function nextAttemptAt(policy: RetryPolicy, failure: Failure, random: () => number): number | undefined {
  const { attempt, firstAttemptAt, now, retryAfterMs = 0 } = failure
  const giveUpAt = firstAttemptAt + policy.giveUpAfterMs
  if (now >= giveUpAt) return undefined
  const delay = policy.delays[Math.min(attempt, policy.delays.length) - 1] ?? 0
  const jittered = delay * (1 - random() / 5)
  const asked = Math.min(retryAfterMs, policy.longestRetryAfterMs)
  // The last attempt is made when time is up, not up to 6 hours earlier.
  return Math.round(Math.min(now + Math.max(jittered, asked), giveUpAt))
}

/** Reads a Retry-After header (RFC 9110, 10.2.3): seconds or an HTTP date. ms from now; undefined when it is neither. */
export function parseRetryAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,10}$/.test(text)) return Number(text) * SECOND
  // Date.parse takes almost anything; an HTTP date begins with its weekday and ends with GMT.
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? .{10,24} GMT$/.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}
