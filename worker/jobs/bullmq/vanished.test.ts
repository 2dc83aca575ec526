import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { startRedis, type RunningRedis } from '../../../dev/redis/start.ts'
import { keys } from '../../../shared/keys.ts'
import { FencedError } from '../../redis/fenced.ts'
import type { Fence } from '../../ownership/fence.ts'
import { layoutOf } from './layout.ts'
import { createBench, text, type Bench } from '../../../dev/testing/owned-partition.ts'
import { dropVanished } from './vanished.ts'

const layout = layoutOf('whatsapp-jobs')
const fence: Fence = { partition: 0, epoch: 1, token: 'w:1', signal: new AbortController().signal, valid: () => true }

const clock = { now: Date.now, monotonic: () => performance.now() }
const ownedQueue = () => ({ redis: bench.redis, fence, layout, clock })

let server: RunningRedis
let bench: Bench

beforeAll(async () => {
  server = await startRedis()
  bench = createBench(server)
})
afterAll(async () => {
  await bench.close()
  await server.close()
})
beforeEach(async () => {
  await bench.redis.flushall()
  await bench.redis.set(keys.lease(0), fence.token)
  // What is left when a job is removed whose id stands in a lane, and the lane is fetched.
  await bench.redis.lpush(layout.active, 'order-17')
  await bench.redis.hset(`${layout.prefix}order-17`, 'ats', '1')
})

it('leaves nothing of a job that was removed', async () => {
  await dropVanished(ownedQueue(), 'order-17')
  expect(await bench.redis.keys('bull:*')).toEqual([])
})

it('keeps a job that was added anew under the same id', async () => {
  await bench.redis.del(`${layout.prefix}order-17`)
  await bench.queue().add('SEND_TEXT', text('s', 'again'), { jobId: 'order-17' })
  await dropVanished(ownedQueue(), 'order-17')
  expect(await bench.redis.lrange(layout.active, 0, -1)).toEqual([])
  expect(await bench.queue().getJob('order-17')).toMatchObject({ name: 'SEND_TEXT', data: { text: 'again' } })
})

it('touches nothing once the lease is lost', async () => {
  await bench.redis.set(keys.lease(0), 'other:2')
  await expect(dropVanished(ownedQueue(), 'order-17')).rejects.toThrow(FencedError)
  expect(await bench.redis.lrange(layout.active, 0, -1)).toEqual(['order-17'])
})
