import type { Outcome } from './endpoint.ts'
import type { Gate } from './gate.ts'

/**
 * How many attempts may be on their way to one endpoint at the same time, by all partitions of this process. A receiver that
 * is slower than we are lets attempts wait until they time out, and each of them is made again: with 64 a partition it
 * counted 59 of 158. So the window begins small, grows with each answer, and is halved when the receiver cannot follow.
 */
export interface Window {
  /**
   * Resolves with true when there is room; `leave` must follow. With false when the endpoint went down meanwhile or the
   * signal was aborted: then nothing is to be sent. First come, first served. While the endpoint is not up there is always
   * room, since the gate lets in one attempt at a time.
   */
  enter(signal: AbortSignal): Promise<boolean>
  /** Tells how an attempt ended that began at `startedAt` (monotonic ms). */
  leave(outcome: Outcome, startedAt: number, now: number): void
}

/** Attempts at the start, and most of them. */
export const FIRST_ROOM = 4
export const MOST_ROOM = 64

/**
 * A third of what an attempt may take. A receiver that takes longer to answer has more to do than it can, or works slowly:
 * its room becomes what it was at the start, before attempts time out.
 */
const QUICK_MS = 5000

/** Answers of a receiver, or of what stands before it, that has more to do than it can. */
const OVERLOADED = new Set(['TIMEOUT', 'HTTP 429', 'HTTP 503', 'HTTP 504'])

/** See {@link Window}. One for each endpoint and process. */
export function createWindow(gate: Pick<Gate, 'state' | 'onChange'>): Window {
  const waiting = new Set<(room: boolean) => void>()
  let room = FIRST_ROOM
  let used = 0
  /** Once it was too much, room grows by one for a whole window of answers instead of for each. */
  let careful = false
  let halvedAt = -Infinity

  gate.onChange(state => {
    if (state === 'up') return pump()
    for (const settle of waiting) settle(false)
    waiting.clear()
  })

  function pump(): void {
    for (const settle of waiting) {
      if (used >= Math.floor(room)) return
      waiting.delete(settle)
      used++
      settle(true)
    }
  }

  /** Halves the room, but not below `least`. Those that were on their way together tell one thing, so they do it once. */
  function narrow(least: number, startedAt: number, now: number): void {
    if (startedAt <= halvedAt) return
    room = Math.max(least, room / 2)
    careful = true
    halvedAt = now
  }

  return {
    async enter(signal) {
      if (signal.aborted) return false
      if (gate.state() !== 'up' || (waiting.size === 0 && used < Math.floor(room))) {
        used++
        return true
      }
      return new Promise(resolve => {
        const settle = (hasRoom: boolean): void => {
          signal.removeEventListener('abort', stop)
          resolve(hasRoom)
        }
        const stop = (): void => {
          waiting.delete(settle)
          settle(false)
        }
        signal.addEventListener('abort', stop, { once: true })
        waiting.add(settle)
      })
    },

    leave(outcome, startedAt, now) {
      // Room that nobody used tells nothing of what the receiver can bear: a quiet hour must not open it for the next burst.
      const full = used >= Math.floor(room)
      used--
      const quick = now - startedAt < QUICK_MS
      const delivered = outcome.kind === 'delivered'
      const overloaded = outcome.kind === 'retry' && OVERLOADED.has(outcome.reason)
      if (delivered && quick && full) room = Math.min(MOST_ROOM, room + (careful ? 1 / room : 1))
      if (overloaded) narrow(1, startedAt, now)
      else if (delivered && !quick) narrow(Math.min(room, FIRST_ROOM), startedAt, now)
      pump()
    },
  }
}
