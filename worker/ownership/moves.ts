import type { Clock } from '../types.ts'
import type { Holding } from './holding.ts'

/** Decides when a partition that is too many here moves to another worker. */
export interface Moves {
  /** The partition to hand over now, or undefined: not yet. `holdings` are in the order in which they were claimed. */
  next(holdings: ReadonlyMap<number, Holding>): number | undefined
}

/**
 * A worker that joins gets its share piece by piece: one partition at a time, at most one in `everyMs`, and none while the
 * sessions that were taken over here are still on their way back. If all moved at once, a worker that dies and starts again
 * would cost its sessions two logins each, and just as many sessions of the healthy worker one, while both workers have
 * most to do. The partition that came last goes first, so that the others are left alone.
 */
export function createMoves(clock: Clock, everyMs: number): Moves {
  let nextAt = -Infinity
  return {
    next(holdings) {
      const busy = [...holdings.values()].some(holding => !holding.open || !holding.settled)
      if (busy || clock.monotonic() < nextAt) return undefined
      nextAt = clock.monotonic() + everyMs
      return [...holdings.keys()].at(-1)
    },
  }
}
