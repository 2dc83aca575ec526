import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Layout } from './layout.ts'

/** Waits for a queue to have something. */
export interface Doorbell {
  /** Resolves when a producer (or a retry) has marked the queue, or after `ms`, or when the connection broke. */
  wait(ms: number): Promise<void>
  /** Ends a wait that is under way. The doorbell cannot be used afterwards. */
  close(): void
}

/** An answer that is this late does not come any more: the connection is half open. */
const OVERDUE_MS = 2000
const AFTER_ERROR_MS = 250

/** See {@link Doorbell}. `redis` serves nothing else, and its commands fail when it breaks. */
export function createDoorbell(redis: Redis, layout: Layout): Doorbell {
  let closed = false
  return {
    async wait(ms) {
      const answered = new AbortController()
      const overdue = sleep(ms + OVERDUE_MS, 'overdue' as const, { signal: answered.signal })
      overdue.catch(() => undefined)
      try {
        // Redis takes 0 for "for ever".
        const reply = await Promise.race([redis.bzpopmin(layout.marker, Math.max(ms, 1) / 1000), overdue])
        if (reply === 'overdue') redis.disconnect(true)
      } catch {
        if (!closed) await sleep(AFTER_ERROR_MS)
      } finally {
        answered.abort()
      }
    },
    close() {
      closed = true
      redis.disconnect()
    },
  }
}
