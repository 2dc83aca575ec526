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
  /** Names of the loops that have failed and have not run for a minute since. */
  failing(): string[]
}

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 30_000
/** A loop that has run for so long is well again. */
const STEADY_MS = 60_000

/** See {@link Supervisor}. One loop's failure never ends another. */
export function createSupervisor(log: Logger, steadyMs = STEADY_MS): Supervisor {
  const failing = new Set<string>()
  return {
    async supervise(loop, signal) {
      for (let pause = FIRST_PAUSE_MS; !signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
        const steady = setTimeout(() => {
          failing.delete(loop.name)
          pause = FIRST_PAUSE_MS
        }, steadyMs)
        try {
          await loop.run(signal).finally(() => clearTimeout(steady))
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
