import type { Holding } from './holding.ts'

/**
 * The partition to hand over when there are too many here, or undefined: not now. `holdings` are in the order in which they
 * were claimed. They go one at a time, and none while the sessions that were taken over here are still on their way back: if
 * all moved at once, a worker that dies and starts again would cost its sessions two logins each, and just as many
 * sessions of the healthy worker one, while both workers have most to do. The partition that came last goes first, so that
 * the others are left alone.
 */
export function nextToMove(holdings: ReadonlyMap<number, Holding>): number | undefined {
  const busy = [...holdings.values()].some(holding => !holding.open || !holding.settled)
  return busy ? undefined : [...holdings.keys()].at(-1)
}
