import type { Redis } from 'ioredis'
import { keys } from '../../../shared/keys.ts'
import type { Layout } from '../bullmq/layout.ts'
import type { Lanes } from './lanes.ts'

/** A scrape of metrics looks at the oldest job of so many lanes at most. */
const MOST_LANES = 200

/** How many jobs wait or run in a partition's lanes, and when (ms) the oldest of them was created. */
export async function laneBacklog(
  redis: Redis,
  layout: Layout,
  partition: number,
  lanes: Pick<Lanes, 'held' | 'parked'>,
): Promise<{ count: number; oldestAt: number | undefined }> {
  const parked = await redis.srandmember(keys.parked(partition), MOST_LANES)
  const heads = await Promise.all(parked.map(async sessionId => redis.lindex(keys.lane(sessionId), 0)))
  const ids = heads.filter(id => id !== null)
  const stamps = await Promise.all(ids.map(async id => redis.hget(layout.prefix + id, 'timestamp')))
  const times = [...[...lanes.held.values()].map(held => held.job.createdAt), ...stamps.map(Number)].filter(
    at => at > 0,
  )
  const oldestAt = times.length === 0 ? undefined : times.reduce((a, b) => Math.min(a, b))
  return { count: lanes.held.size + lanes.parked, oldestAt }
}
