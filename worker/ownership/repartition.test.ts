import { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { keys } from '../../shared/keys.ts'
import { partitionOf } from '../../shared/partition.ts'
import { agreeOnPartitions } from './partitions.ts'
import { repartition, RepartitionError } from './repartition.ts'

const log = pino({ level: 'silent' })
let server: RunningRedis
let redis: Redis
const names = Array.from({ length: 40 }, (_, i) => `s${i}`)

beforeAll(async () => {
  server = await startRedis()
  redis = new Redis(server.url, { protocol: 2 })
})
afterAll(async () => {
  redis.disconnect()
  await server.close()
})
beforeEach(async () => {
  await redis.flushall()
  await agreeOnPartitions(redis, 2, log)
  for (const name of names) {
    await redis.sadd(keys.started(partitionOf(name, 2)), name)
    await redis.zadd(keys.undelivered(partitionOf(name, 2)), 1700, name)
  }
})

it.each([1, 3, 8])('moves sessions and events to where they belong among %i partitions', async partitions => {
  await repartition(redis, partitions)
  await agreeOnPartitions(redis, partitions, log)
  for (const name of names) {
    expect(await redis.sismember(keys.started(partitionOf(name, partitions)), name)).toBe(1)
    expect(await redis.zscore(keys.undelivered(partitionOf(name, partitions)), name)).toBe('1700')
  }
  const kept = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(async p => redis.scard(keys.started(p))))
  expect(kept.reduce((a, b) => a + b, 0)).toBe(40)
})

it.each([
  ['a worker holds a partition', async () => redis.set(keys.lease(1), 'w:1')],
  ['a job waits', async () => redis.lpush('bull:whatsapp-jobs-1:wait', '7')],
  ['a job is delayed', async () => redis.zadd('bull:whatsapp-jobs:delayed', 1, '7')],
  ['a job is parked', async () => redis.sadd(keys.parked(0), 's1')],
])('refuses while %s', async (_what, arrange) => {
  await arrange()
  await expect(repartition(redis, 3)).rejects.toThrow(RepartitionError)
  expect(await redis.get(keys.partitions)).toBe('2')
})
