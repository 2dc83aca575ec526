import type { Redis } from 'ioredis'
import { keys } from '../../shared/keys.ts'
import { partitionOf, queueOf } from '../../shared/partition.ts'
import { layoutOf } from '../jobs/bullmq/layout.ts'

/** The number of partitions cannot be changed now; the message says why. */
export class RepartitionError extends Error {}

/**
 * Changes the deployment's number of partitions while nothing runs: sessions that are started and events that wait go
 * to the partitions they belong to from now on. Resolves with the number of sessions that moved. Throws
 * {@link RepartitionError} while a worker lives or a job waits: it would be in a queue that nobody looks into.
 */
export async function repartition(redis: Redis, partitions: number): Promise<number> {
  const before = Number(await redis.get(keys.partitions))
  if (!Number.isInteger(before) || before < 1) throw new RepartitionError('this Redis has no partitions yet')
  const all = Array.from({ length: Math.max(before, partitions) }, (_, partition) => partition)
  await refuseWhileInUse(redis, all)
  const change = redis.multi()
  let moved = 0
  for (const from of all.slice(0, before)) {
    for (const sessionId of await redis.smembers(keys.started(from))) {
      const to = partitionOf(sessionId, partitions)
      if (to === from) continue
      change.smove(keys.started(from), keys.started(to), sessionId)
      moved++
    }
    const waiting = await redis.zrange(keys.undelivered(from), '0', '-1', 'WITHSCORES')
    for (let i = 0; i < waiting.length; i += 2) {
      const [sessionId = '', score = '0'] = waiting.slice(i, i + 2)
      const to = partitionOf(sessionId, partitions)
      if (to !== from) change.zrem(keys.undelivered(from), sessionId).zadd(keys.undelivered(to), score, sessionId)
    }
  }
  change.set(keys.partitions, partitions)
  await change.exec()
  return moved
}

async function refuseWhileInUse(redis: Redis, partitions: readonly number[]): Promise<void> {
  for (const partition of partitions) {
    const holder = await redis.get(keys.lease(partition))
    if (holder !== null)
      throw new RepartitionError(`partition ${partition} is held by ${holder}: stop all workers first`)
    const { queue, wait, active, prioritized, delayed } = layoutOf(queueOf(partition))
    const lists = await Promise.all([wait, active].map(async key => redis.llen(key)))
    const sets = await Promise.all([prioritized, delayed].map(async key => redis.zcard(key)))
    const lanes = await redis.scard(keys.parked(partition))
    if ([...lists, ...sets, lanes].some(count => count > 0)) {
      throw new RepartitionError(`${queue} still has jobs: start the workers as before and let them end`)
    }
  }
}
