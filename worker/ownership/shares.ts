import { workerOf, type Beat } from './leases.ts'

/** What a worker should do to hold its share. */
export interface Plan {
  claim: number[]
  release: number[]
}

/**
 * A worker's share of the partitions: each live worker gets the same number, and those that hold most already get the
 * odd ones, so that a join moves as few partitions as can be. All workers reckon from the same reply of Redis and come
 * to the same result. `claim` lists every free partition that may be tried, the surplus included: it is tried until the
 * share is full.
 */
export function plan(me: string, { workers, leases }: Pick<Beat, 'workers' | 'leases'>): Plan & { share: number } {
  const live = workers.includes(me) ? workers : [...workers, me].sort()
  const held = new Map(live.map(worker => [worker, [] as number[]]))
  const free: number[] = []
  leases.forEach(({ token }, partition) => {
    if (token === '') free.push(partition)
    else held.get(workerOf(token))?.push(partition)
  })
  const count = (worker: string) => held.get(worker)?.length ?? 0
  const ranked = live.toSorted((a, b) => count(b) - count(a) || (a < b ? -1 : 1))
  const least = Math.floor(leases.length / live.length)
  const share = least + (ranked.indexOf(me) < leases.length % live.length ? 1 : 0)
  const mine = held.get(me) ?? []
  return { share, claim: mine.length < share ? free : [], release: mine.slice(share) }
}
