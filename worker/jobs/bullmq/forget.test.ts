import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import pino from 'pino'
import { startRedis, type RunningRedis } from '../../../dev/redis/start.ts'
import { until } from '../../../dev/stack/until.ts'
import { JOB_OPTIONS } from '../../../shared/contract.ts'
import { keys } from '../../../shared/keys.ts'
import { partitionOf, QUEUE, queueOf } from '../../../shared/partition.ts'
import { receipt } from '../../../shared/receipt.ts'
import { JobFailure } from '../job.ts'
import { createForgetJobs } from './forget.ts'
import {
  createBench,
  fakeSessions,
  text,
  type Bench,
  type BenchOwner,
  type FakeSessions,
} from '../../../dev/testing/owned-partition.ts'

let server: RunningRedis
let bench: Bench
let sessions: FakeSessions

beforeAll(async () => void (server = await startRedis()))
afterAll(async () => server.close())
beforeEach(() => {
  bench = createBench(server)
  sessions = fakeSessions()
  sessions.work = async () => {
    throw new JobFailure('SESSION_NOT_FOUND', 'there is no such session')
  }
})
afterEach(async () => {
  await bench.redis.flushall()
  await bench.close()
})

const core = () => ({
  redis: bench.redis,
  log: pino({ level: 'silent' }),
  clock: { now: Date.now, monotonic: () => performance.now() },
})
const forget = async ({ fence }: BenchOwner, sessionId: string, { before = Date.now() + 1, partitions = 1 } = {}) =>
  createForgetJobs({ core: core(), fence, partitions })(sessionId, before)

/** The session's jobs that BullMQ keeps, wherever. */
async function jobsOf(sessionId: string): Promise<string[]> {
  const hashes = (await bench.redis.keys('bull:*')).filter(key => /:[^:]*\d$/.test(key))
  const data = await Promise.all(hashes.map(async key => bench.redis.hget(key, 'data')))
  return hashes.filter((_, i) => (JSON.parse(data[i] ?? '{}') as { sessionId?: string }).sessionId === sessionId)
}
const ended = async (state: 'failed' | 'completed', count: number, partition = 0) =>
  until(`${count} ${state}`, async () => (await bench.queue(partition).getJobCountByTypes(state)) === count)
const receiptOf = async (id = '', queue = QUEUE) =>
  receipt.safeParse(await bench.redis.hgetall(keys.receipt(queue, id))).data

describe('what a deletion does with the jobs of its session', () => {
  it('removes the finished ones, however many others there are, and leaves those', async () => {
    const owner = await bench.own(sessions)
    const bulk = (of: (i: number) => object) =>
      Array.from({ length: 300 }, (_, i) => ({ name: 'SEND_TEXT', data: of(i), opts: JOB_OPTIONS }))
    await bench.queue().addBulk(bulk(i => text(i % 3 === 0 ? 'gone' : 'stays', `gone ${i}`)))
    const keepAll = { removeOnComplete: false, removeOnFail: false }
    const logged = await bench.queue().add('SEND_TEXT', text('gone', 'with a log'), keepAll)
    await bench.queue().addBulk(bulk(i => ({ ...text('stays', ''), about: { sessionId: 'gone' }, filler: `${i}` })))
    const large = { ...text('gone', 'x'.repeat(700_000)), sessionId: 'gone' }
    await bench.queue().addBulk([1, 2, 3].map(() => ({ name: 'SEND_TEXT', data: large, opts: JOB_OPTIONS })))
    await ended('failed', 604)
    await logged.log('a line')
    sessions.work = async () => {}
    await bench.queue().add('SEND_TEXT', text('gone', 'well'), keepAll)
    await bench.queue().add('SEND_TEXT', text('stays', 'well'), keepAll)
    await ended('completed', 2)

    await forget(owner, 'gone')

    expect(await jobsOf('gone')).toEqual([])
    expect(await bench.queue().getJobCounts('failed', 'completed')).toEqual({ failed: 500, completed: 1 })
    expect(await bench.redis.exists(`bull:${QUEUE}:${logged.id}:logs`)).toBe(0)
  })

  it('finds a session whose producer escapes letters', async () => {
    const owner = await bench.own(sessions)
    const { id } = await bench.queue().add('SEND_TEXT', text('gone', 'x'), JOB_OPTIONS)
    await ended('failed', 1)
    const key = `bull:${QUEUE}:${id}`
    await bench.redis.hset(key, 'data', ((await bench.redis.hget(key, 'data')) ?? '').replace('gone', '\\u0067one'))
    await forget(owner, 'gone')
    expect(await bench.redis.exists(key)).toBe(0)
  })

  it('ends those that were to run later, but not those that were posted after it', async () => {
    const owner = await bench.own(sessions)
    const later = { ...JOB_OPTIONS, delay: 3_600_000 }
    const old = await bench.queue().add('SEND_TEXT', text('gone', 'next year'), later)
    const other = await bench.queue().add('SEND_TEXT', text('stays', 'next year'), later)
    const before = old.timestamp + 1
    const after = await bench.queue().add('START_SESSION', { sessionId: 'gone' }, { ...later, timestamp: before })
    await forget(owner, 'gone', { before })
    expect(await receiptOf(old.id)).toMatchObject({ state: 'failed', code: 'SESSION_NOT_FOUND' })
    expect(new Set((await bench.queue().getDelayed()).map(({ id }) => id))).toEqual(new Set([other.id, after.id]))
    expect(await jobsOf('gone')).toEqual([`bull:${QUEUE}:${after.id}`])
    expect(await bench.queue().getActiveCount()).toBe(0)
    expect(sessions.started).toEqual([])
  })

  it('looks into the queue of the contract, where a foreign producer has left them', async () => {
    const away = Array.from({ length: 50 }, (_, i) => `s${i}`).find(id => partitionOf(id, 2) === 1) ?? ''
    const owner = await bench.own(sessions, { partition: 1, partitions: 2 })
    const old = await bench.queue().add('SEND_TEXT', text(away, 'later'), { ...JOB_OPTIONS, delay: 3_600_000 })
    await bench.queue(1).add('SEND_TEXT', text(away, 'now'), JOB_OPTIONS)
    await ended('failed', 1, 1)
    await forget(owner, away, { partitions: 2 })
    expect(await jobsOf(away)).toEqual([])
    expect(await receiptOf(old.id)).toMatchObject({ state: 'failed', code: 'SESSION_NOT_FOUND' })
    expect(await bench.redis.zcard(`bull:${queueOf(1)}:failed`)).toBe(0)
  })

  it('keeps no job that ends when its session is gone, unless it never was or is back', async () => {
    await bench.own(sessions)
    await bench.redis.zadd(keys.deleted, Date.now() + 60_000, 'gone')
    await bench.redis.zadd(keys.deleted, Date.now() + 60_000, 'back')
    await bench.redis.hset(keys.session('back'), 'state', 'open')
    const jobs = ['gone', 'never', 'back', 'gone'].map(id => ({
      name: 'SEND_TEXT',
      data: text(id, 'x'),
      opts: JOB_OPTIONS,
    }))
    const [gone] = await bench.queue().addBulk(jobs)
    await ended('failed', 2)
    await until('a receipt', async () => (await receiptOf(gone?.id)) !== undefined)
    expect(await receiptOf(gone?.id)).toMatchObject({ state: 'failed', code: 'SESSION_NOT_FOUND' })
    const kept = (await bench.queue().getFailed()).map(({ data }) => (data as { sessionId: string }).sessionId)
    expect(new Set(kept)).toEqual(new Set(['back', 'never']))
    expect(await jobsOf('gone')).toEqual([])
  })
})
