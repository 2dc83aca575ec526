import { afterAll, beforeAll, expect, it } from 'vitest'
import { Redis } from 'ioredis'
import pino from 'pino'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { keys } from '../../shared/keys.ts'
import type { Fence } from '../ownership/fence.ts'
import { createRecords } from './records.ts'

let server: RunningRedis
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = new Redis(server.url, { protocol: 2 })
})
afterAll(async () => {
  redis.disconnect()
  await server.close()
})

it('forgets a session with all its receipts, in steps that hold Redis shortly', async () => {
  const fence: Fence = { partition: 0, epoch: 1, token: 'w:1', signal: new AbortController().signal, valid: () => true }
  await redis.set(keys.lease(0), fence.token)
  const fill = `for i = 1, 20000 do
    redis.call('HSET', ARGV[1] .. i, 'sessionId', 's')
    redis.call('ZADD', KEYS[1], i, ARGV[1] .. i)
  end`
  await redis.eval(fill, 1, keys.receipts('s'), keys.receipt('whatsapp-jobs', ''))
  await redis.config('RESETSTAT')
  const clock = { now: Date.now, monotonic: () => performance.now() }
  await createRecords({ redis, log: pino({ level: 'silent' }), clock }, fence).forget('s')
  expect(await redis.keys('kurir:receipt*')).toEqual([])
  expect(await redis.zscore(keys.deleted, 's')).not.toBeNull()
  // A script that Redis does not know yet is called twice, once in vain.
  const stats = [
    ...(await redis.info('commandstats')).matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+).*failed_calls=(\d+)/gm),
  ]
  const done = stats.reduce((sum, [, calls, failed]) => sum + Number(calls) - Number(failed), 0)
  expect(done).toBeGreaterThanOrEqual(9)
})
