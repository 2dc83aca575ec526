import type { Redis } from 'ioredis'
import type { Layout } from './layout.ts'
import type { RawJob } from './read.ts'

const CHUNK = 20

/**
 * The jobs in BullMQ's `active` that nobody holds, oldest first: what a dead owner left, or what a fetch took whose
 * reply was lost. `held` are the ids that we hold.
 */
export async function findOrphans(redis: Redis, layout: Layout, held: { has(id: string): boolean }): Promise<RawJob[]> {
  // BullMQ pushes at the head, so the oldest stands last. Ids of BullMQ's old markers are no jobs.
  const ids = (await redis.lrange(layout.active, 0, -1)).reverse().filter(id => !held.has(id))
  const orphans: RawJob[] = []
  for (let i = 0; i < ids.length; i += CHUNK) {
    const chunk = ids.slice(i, i + CHUNK)
    const jobs = await Promise.all(chunk.map(async id => redis.hgetall(layout.prefix + id)))
    chunk.forEach((id, at) => orphans.push([id, Object.entries(jobs[at] ?? {}).flat()]))
  }
  return orphans
}
