import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { giveUp } from '../../redis/connection.ts'
import type { Layout } from './layout.ts'

/** Waits for a queue to have something. */
export interface Doorbell {
  /** Resolves when a producer (or a retry) has marked the queue, or after `ms`; false when the connection broke. */
  wait(ms: number): Promise<boolean>
  /** Ends a wait that is under way. The doorbell cannot be used afterwards. */
  close(): void
}

/** An answer that is this late does not come any more: the connection is silent. */
const OVERDUE_MS = 2000
/**
 * Most ms of one blocked read. Nothing else tells that the connection has fallen silent, and with it the bell: a job that
 * comes then is found after this time and the one above.
 */
export const LONGEST_READ_MS = 8000
const AFTER_ERROR_MS = 250

/** See {@link Doorbell}. `redis` serves nothing else; its patience is `block`. */
export function createDoorbell(redis: Redis, layout: Layout): Doorbell {
  let closed = false

  /** One blocked read. */
  async function hear(ms: number): Promise<'rung' | 'nothing' | 'broken'> {
    const answered = new AbortController()
    const overdue = sleep(ms + OVERDUE_MS, 'overdue' as const, { signal: answered.signal })
    overdue.catch(() => undefined)
    try {
      // Redis takes 0 for "for ever".
      const reply = await Promise.race([redis.bzpopmin(layout.marker, Math.max(ms, 1) / 1000), overdue])
      if (reply === null) return 'nothing'
      if (reply !== 'overdue') return 'rung'
      giveUp(redis)
      return 'broken'
    } catch {
      if (!closed) await sleep(AFTER_ERROR_MS)
      return 'broken'
    } finally {
      answered.abort()
    }
  }

  return {
    async wait(ms) {
      for (let left = ms; left > 0; left -= LONGEST_READ_MS) {
        const heard = await hear(Math.min(left, LONGEST_READ_MS))
        if (heard !== 'nothing') return heard === 'rung'
      }
      return true
    },
    close() {
      closed = true
      redis.disconnect()
    },
  }
}
