import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { FencedError } from './fenced.ts'
import { isOutage, tellOutage } from './outage.ts'
import type { Fence } from '../ownership/fence.ts'

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 2000

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
      tellOutage(log, error, 'redis is away, a write waits')
      await sleep(pause, undefined, { signal: fence.signal }).catch(() => undefined)
    }
  }
}
