import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { FencedError } from './fenced.ts'
import type { Fence } from '../types.ts'

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 2000

/** What Redis answers while it restarts, is full, busy, or was made a replica; it passes. */
const PASSING = /^(LOADING|READONLY|MASTERDOWN|OOM|MISCONF|BUSY|TRYAGAIN|CLUSTERDOWN|NOREPLICAS|UNBLOCKED)\b/

/**
 * Repeats a write until Redis has it. An outage of Redis must not lose an event or a key, nor let the next one overtake
 * it, so the caller waits in here for as long as the lease is ours. The write must be safe to repeat: its reply may have
 * got lost on the way. Throws `FencedError` once the lease is gone, and at once what is no outage.
 */
export async function persist<T>(write: () => Promise<T>, fence: Fence, log: Logger): Promise<T> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    if (fence.signal.aborted) throw new FencedError(fence.partition)
    try {
      return await write()
    } catch (error) {
      if (!isOutage(error)) throw error
      log.warn({ err: error, partition: fence.partition }, 'redis is away, a write waits')
      await sleep(pause, undefined, { signal: fence.signal }).catch(() => undefined)
    }
  }
}

function isOutage(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof FencedError) return false
  // ioredis gives the server's answers this name; everything else is the connection's.
  return error.name !== 'ReplyError' || PASSING.test(error.message)
}
