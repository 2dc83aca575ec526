import type { Held } from '../read.ts'
import type { Clock } from '../../core.ts'

/** How slowly a session sends, so that it looks like a person. All zero: as fast as WhatsApp acks. In ms. */
export interface Pace {
  /** Least time between the starts of two sends of one session. */
  gapMs: number
  /** Up to so much is added to each gap, at random. */
  jitterMs: number
  /** Typing time of each character of a text. */
  characterMs: number
}

/** Nobody types longer than this. */
const LONGEST_TYPING_MS = 30_000
/** Sessions that are remembered before those that have rested long enough are forgotten. */
const MOST_REMEMBERED = 1000

/**
 * Makes the lanes' `pause`: how long a session must still wait before this job starts, in ms. Asked again when that has
 * passed, it answers 0 and counts the job as started.
 */
export function createPacing(pace: Pace, clock: Clock, random: () => number = Math.random): (held: Held) => number {
  const started = new Map<string, number>()
  const due = new Map<string, { jobId: string; at: number }>()

  function dueOf({ id, sessionId, job }: Held): number {
    const known = due.get(sessionId)
    if (known?.jobId === id) return known.at
    const typing = 'text' in job.data ? Math.min(job.data.text.length * pace.characterMs, LONGEST_TYPING_MS) : 0
    const gap = pace.gapMs + random() * pace.jitterMs
    const at = Math.max((started.get(sessionId) ?? -Infinity) + gap, clock.monotonic()) + typing
    due.set(sessionId, { jobId: id, at })
    return at
  }

  function forget(now: number) {
    for (const [sessionId, at] of started) {
      if (now - at > pace.gapMs + pace.jitterMs) started.delete(sessionId)
    }
  }

  return held => {
    if (!held.name.startsWith('SEND_')) return 0
    const now = clock.monotonic()
    const wait = dueOf(held) - now
    // Timers fire up to a millisecond early.
    if (wait > 1) return wait
    due.delete(held.sessionId)
    started.set(held.sessionId, now)
    if (started.size > MOST_REMEMBERED) forget(now)
    return 0
  }
}
