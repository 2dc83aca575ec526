import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import pino from 'pino'
import { startRedis, type RunningRedis } from '../../../dev/redis/start.ts'
import { until } from '../../../dev/stack/until.ts'
import { JOB_OPTIONS } from '../../../shared/contract.ts'
import { QUEUE } from '../../../shared/partition.ts'
import { JobFailure } from '../job.ts'
import { layoutOf } from './layout.ts'
import { createRetention } from './retention.ts'
import { createBench, fakeSessions, text, type Bench, type BenchOwner } from '../../../dev/testing/owned-partition.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const layout = layoutOf(QUEUE)
let server: RunningRedis
let bench: Bench

beforeAll(async () => void (server = await startRedis()))
afterAll(async () => server.close())
beforeEach(() => void (bench = createBench(server)))
afterEach(async () => {
  await bench.redis.flushall()
  await bench.close()
})

/** Sweeps once, as if it were `days` later. */
async function sweep({ fence }: BenchOwner, days: number): Promise<void> {
  const clock = { now: () => Date.now() + days * DAY_MS, monotonic: () => performance.now() }
  const core = { redis: bench.redis, log: pino({ level: 'silent' }), clock }
  const once = new AbortController()
  const running = createRetention({ core, fence, layout, keptMs: 7 * DAY_MS }).run(once.signal)
  once.abort()
  await running
}

async function failed(count: number): Promise<BenchOwner> {
  const sessions = fakeSessions()
  sessions.work = async () => {
    throw new JobFailure('NOT_ON_WHATSAPP', '6281234567890 is not on WhatsApp')
  }
  const owner = await bench.own(sessions)
  const jobs = Array.from({ length: count }, (_, i) => ({
    name: 'SEND_TEXT',
    data: text('s', `${i}`),
    opts: JOB_OPTIONS,
  }))
  await bench.queue().addBulk(jobs)
  await until('all to fail', async () => (await bench.queue().getJobCountByTypes('failed')) === count)
  return owner
}

it('keeps failed jobs for their time, and then leaves nothing of them', async () => {
  const owner = await failed(600)
  const [job] = await bench.queue().getFailed(0, 0)
  await job?.log('a line')
  await sweep(owner, 6.9)
  expect(await bench.queue().getJobCountByTypes('failed')).toBe(600)
  await sweep(owner, 7.1)
  expect(await bench.queue().getJobCountByTypes('failed')).toBe(0)
  expect((await bench.redis.keys('bull:*')).filter(key => /\d/.test(key))).toEqual([])
  expect(await bench.redis.xlen(layout.events)).toBe(0)
})

it('leaves those that ended lately, and goes on past what is no job', async () => {
  const owner = await failed(3)
  await bench.redis.set(`${layout.prefix}odd`, 'a string')
  await bench.redis.zadd(layout.failed, 1, 'odd', 2, 'gone')
  await sweep(owner, 0)
  expect(await bench.redis.zcard(layout.failed)).toBe(3)
  expect((await bench.queue().getFailed()).map(({ failedReason }) => failedReason)[0]).toContain('NOT_ON_WHATSAPP')
})
