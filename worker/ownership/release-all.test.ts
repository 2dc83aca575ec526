import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { until } from '../../dev/stack/until.ts'
import { keys } from '../../shared/keys.ts'
import { claim, RELEASED } from './leases.ts'
import { releaseAll } from './release-all.ts'

let server: RunningRedis
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = new Redis(server.url)
})
afterAll(async () => {
  redis.disconnect()
  await server.close()
})
beforeEach(async () => {
  await redis.flushall()
  await redis.set(keys.partitions, 4)
})

test('gives back what the dead worker held, and nothing of others, and says so', async () => {
  for (const [partition, worker] of ['dead', 'alive', 'dead', 'dead-2'].entries()) {
    await claim(redis, worker, 60_000, partition)
  }
  await redis.zadd(keys.workers, Date.now() + 60_000, 'dead', Date.now() + 60_000, 'alive')
  const heard: string[] = []
  const subscriber = new Redis(server.url)
  subscriber.on('message', (_channel, partition) => heard.push(partition))
  await subscriber.subscribe(RELEASED)
  expect(await releaseAll(server.url, 'dead')).toBe(2)
  const leases = await redis.mget([0, 1, 2, 3].map(partition => keys.lease(partition)))
  expect(leases).toEqual([null, 'alive:1', null, 'dead-2:1'])
  expect(await redis.zrange(keys.workers, '0', '-1')).toEqual(['alive'])
  await until('the announcements', () => heard.length === 2)
  expect(heard).toEqual(['0', '2'])
  subscriber.disconnect()
})

test('gives up when Redis is away', async () => {
  await expect(releaseAll('redis://127.0.0.1:1', 'dead')).rejects.toThrow(/retries|closed|refused/i)
})
