import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'

/** Something that runs until it is told to stop. */
export interface Loop {
  readonly name: string
  run(signal: AbortSignal): Promise<void>
}

/** Keeps loops running. */
export interface Supervisor {
  /** Runs a loop until the signal aborts or the loop ends by itself. One that throws is started again, later each time. */
  supervise(loop: Loop, signal: AbortSignal): Promise<void>
  /** Names of the loops that have failed and wait to be started again. */
  failing(): string[]
}

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 30_000

/** See {@link Supervisor}. One loop's failure never ends another. */
export function createSupervisor(log: Logger): Supervisor {
  const failing = new Set<string>()
  return {
    async supervise(loop, signal) {
      for (let pause = FIRST_PAUSE_MS; !signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
        try {
          await loop.run(signal)
          failing.delete(loop.name)
          return
        } catch (error) {
          if (signal.aborted) return
          failing.add(loop.name)
          log.error({ loop: loop.name, err: error, pauseMs: pause }, 'loop failed')
          await sleep(pause, undefined, { signal }).catch(() => undefined)
        }
      }
      failing.delete(loop.name)
    },
    failing: () => [...failing],
  }
}
