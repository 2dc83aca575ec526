import { workerOf, type Beat } from './leases.ts'

/** What a worker should do to hold its share. */
export interface Plan {
  /** How many partitions it should have. */
  share: number
  /** Every free partition that may be tried, the surplus of others included: it is tried until the share is full. */
  claim: number[]
  /** How many it has above its share. */
  surplus: number
}

/**
 * A worker's share of the partitions: each live worker gets the same number, and those that hold most already get the
 * odd ones, so that a join moves as few partitions as can be. All workers reckon from the same reply of Redis and come
 * to the same result.
 */
export function plan(me: string, { workers, leases }: Pick<Beat, 'workers' | 'leases'>): Plan {
  const live = workers.includes(me) ? workers : [...workers, me].sort()
  const held = new Map(live.map(worker => [worker, 0]))
  const free: number[] = []
  leases.forEach(({ token }, partition) => {
    if (token === '') free.push(partition)
    else held.set(workerOf(token), (held.get(workerOf(token)) ?? 0) + 1)
  })
  const count = (worker: string) => held.get(worker) ?? 0
  const ranked = live.toSorted((a, b) => count(b) - count(a) || (a < b ? -1 : 1))
  const least = Math.floor(leases.length / live.length)
  const share = least + (ranked.indexOf(me) < leases.length % live.length ? 1 : 0)
  return { share, claim: count(me) < share ? free : [], surplus: Math.max(0, count(me) - share) }
}
