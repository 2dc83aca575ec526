import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { QueueEvents } from 'bullmq'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { until } from '../../dev/stack/until.ts'
import { JOB_OPTIONS } from '../../shared/contract.ts'
import { keys } from '../../shared/keys.ts'
import { partitionOf } from '../../shared/partition.ts'
import type { JobResult } from '../../shared/receipt.ts'
import { JobFailure } from './job.ts'
import {
  createBench,
  fakeSessions,
  text,
  texts,
  type Bench,
  type FakeSessions,
} from '../../dev/testing/owned-partition.ts'

/** What BullMQ's own tools see of a queue and can do with it while a worker runs. */

let server: RunningRedis
let bench: Bench
let sessions: FakeSessions

beforeAll(async () => void (server = await startRedis()))
afterAll(async () => server.close())
beforeEach(() => {
  bench = createBench(server)
  sessions = fakeSessions()
})
afterEach(async () => {
  await bench.redis.flushall()
  await bench.close()
})

const add = async (sessionId: string, bodies: readonly string[], opts = {}) =>
  bench
    .queue()
    .addBulk(
      bodies.map(body => ({ name: 'SEND_TEXT', data: text(sessionId, body), opts: { ...JOB_OPTIONS, ...opts } })),
    )
const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`)
const waiting = async () => bench.queue().count()

/** Jobs of a session that is not open. */
async function parked(count: number) {
  sessions.down('s')
  await bench.own(sessions)
  const jobs = await add('s', numbers(count))
  await until('all to be parked', async () => (await bench.redis.llen(keys.lane('s'))) === count)
  return jobs
}

describe('parked jobs', () => {
  it('are counted, have a state, and run in order when their session opens', async () => {
    const jobs = await parked(20)
    expect(await waiting()).toBe(20)
    expect(await jobs[7]?.getState()).toBe('prioritized')
    expect((await bench.queue().getPrioritized()).length).toBe(20)
    sessions.up('s')
    await until('all to run', async () => sessions.ran.length === 20)
    expect(texts(sessions.ran)).toEqual(numbers(20))
    await until('nothing to wait', async () => (await waiting()) === 0)
    expect(await bench.redis.exists('bull:whatsapp-jobs:prioritized', keys.parked(0))).toBe(0)
  })

  it.each([
    ['drain()', async () => bench.queue().drain()],
    ['drain(true)', async () => bench.queue().drain(true)],
    ['obliterate({force})', async () => bench.queue().obliterate({ force: true })],
    ['remove()', async () => Promise.all((await bench.queue().getPrioritized()).map(async job => job.remove()))],
  ])('go with %s, and are not sent', async (_, clear) => {
    await parked(20)
    await clear()
    expect(await waiting()).toBe(0)
    sessions.up('s')
    await bench.queue().resume()
    await add('s', ['after'])
    await until('the next job', async () => sessions.ran.length > 0)
    expect(texts(sessions.ran)).toEqual(['after'])
    await until('the lane to be empty', async () => (await bench.redis.exists(keys.lane('s'), keys.parked(0))) === 0)
  })

  it('stand behind prioritized and delayed jobs of others, which run meanwhile', async () => {
    await parked(5)
    await add('other', ['urgent'], { priority: 3 })
    await add('other', ['late'], { delay: 100 })
    await add('other', ['late and urgent'], { delay: 100, priority: 2 })
    await until('the others', async () => sessions.ran.length === 3)
    expect(await waiting()).toBe(5)
    expect(await bench.redis.exists(keys.due(0))).toBe(0)
  })

  it('that were parked by an owner of before, who told no tool, are taken up', async () => {
    const jobs = await parked(5)
    await bench.redis.del('bull:whatsapp-jobs:prioritized')
    sessions.up('s')
    await until('all to run', async () => sessions.ran.length === jobs.length)
    expect(texts(sessions.ran)).toEqual(numbers(5))
  })

  it('run once when a tool has changed their priority', async () => {
    sessions.work = async () => {
      throw new Error('fails')
    }
    const jobs = await parked(3)
    await jobs[1]?.changePriority({ priority: 1 })
    await add('other', ['x'])
    await until('the lane to have it twice', async () => (await bench.redis.llen(keys.lane('s'))) >= 3)
    sessions.up('s')
    await until('all to start', async () => sessions.started.length >= 4)
    await until('the lane to be empty', async () => (await bench.redis.exists(keys.lane('s'))) === 0)
    expect(texts(sessions.started.filter(job => job.data.sessionId === 's')).sort()).toEqual(numbers(3))
  })
})

describe('limits of the whole queue', () => {
  it.each([1, 2])('a concurrency of %i lets all jobs run, also those that came while it was reached', async most => {
    await bench.queue().setGlobalConcurrency(most)
    const gate = Promise.withResolvers<void>()
    let running = 0
    sessions.work = async () => {
      expect(++running).toBeLessThanOrEqual(most)
      await gate.promise
      running--
    }
    await bench.own(sessions)
    for (let i = 0; i < most; i++) {
      await add(`s${i}`, ['first'])
      await until('it to start', async () => sessions.started.length === i + 1)
    }
    const blocked = async () => (await bench.redis.info('clients')).includes('blocked_clients:1')
    await until('the worker to be idle', blocked)
    await add('late', ['a', 'b', 'c', 'd'])
    const before = performance.now()
    gate.resolve()
    await until('all to run', async () => sessions.ran.length === most + 4)
    expect(performance.now() - before).toBeLessThan(most === 1 ? 12_000 : 6000)
  })
})

describe('a ring at the doorbell that a frozen owner takes', () => {
  it('delays the new one by a second or two', async () => {
    const first = await bench.own(sessions)
    await until('it to listen', async () => (await bench.redis.info('clients')).includes('blocked_clients:1'))
    // As a frozen process does: its blocked read stays in Redis.
    first.freeze()
    const second = fakeSessions()
    await bench.own(second)
    await until('both to listen', async () => (await bench.redis.info('clients')).includes('blocked_clients:2'))
    const before = performance.now()
    await add('s', ['x'])
    await until('it to run', async () => second.ran.length === 1)
    expect(performance.now() - before).toBeLessThan(4000)
  })
})

describe("BullMQ's tools", () => {
  const workers = async () => (await bench.queue().getWorkers()).map(({ rawname }) => rawname)

  it('know the worker, the job that it has, and why each attempt failed', async () => {
    sessions.work = async () => Promise.reject(new JobFailure('INTERNAL', 'no luck', 'backoff'))
    await bench.own(sessions)
    await until('the worker to be known', async () => (await workers()).length === 1)
    expect(await workers()).toEqual([`bull:${btoa('whatsapp-jobs')}:w:tester`])
    const [job] = await add('s', ['x'], { attempts: 2, backoff: 10 })
    await until('the job to fail', async () => (await job?.getState()) === 'failed')
    const failed = await bench.queue().getJob(job?.id ?? '')
    expect(failed).toMatchObject({
      processedBy: 'tester',
      failedReason: 'INTERNAL: no luck',
      stacktrace: ['INTERNAL: no luck', 'INTERNAL: no luck'],
    })
  })

  it('count how many jobs completed and failed', async () => {
    await bench.own(sessions)
    await add('s', numbers(7))
    await until('all to run', async () => sessions.ran.length === 7)
    sessions.work = async () => Promise.reject(new JobFailure('INTERNAL', 'no luck'))
    await add('s', numbers(2))
    await until('both to fail', async () => (await bench.queue().getFailedCount()) === 2)
    expect((await bench.queue().getMetrics('completed')).meta.count).toBe(7)
    expect((await bench.queue().getMetrics('failed')).meta.count).toBe(2)
  })

  it('of BullMQ 5 may have left a schedule without data: each of its jobs has those of the one before', async () => {
    const key = '333fd8d2fc597c6bdb72b6f80cf96e5d'
    const at = Date.now()
    const id = `repeat:${key}:${at}`
    const prefix = 'bull:whatsapp-jobs:'
    const data = text('s', 'again')
    const opts = { ...JOB_OPTIONS, jobId: id, prevMillis: at, repeat: { every: 100, count: 1 } }
    await bench.redis.zadd(`${prefix}repeat`, at, key)
    await bench.redis.hset(`${prefix}repeat:${key}`, { name: 'SEND_TEXT', every: '100' })
    const fields = { name: 'SEND_TEXT', data: JSON.stringify(data), opts: JSON.stringify(opts), rjk: key }
    await bench.redis.hset(`${prefix}${id}`, { ...fields, timestamp: at, delay: 0, priority: 0 })
    await bench.redis.zadd(`${prefix}delayed`, at * 0x1000, id)
    await bench.own(sessions)
    await until('some rounds', async () => sessions.ran.length >= 3)
    expect(texts(sessions.ran.slice(0, 3))).toEqual(['again', 'again', 'again'])
    expect(await bench.queue().getFailedCount()).toBe(0)
    await bench.queue().removeJobScheduler(key)
  })

  describe('with several partitions', () => {
    const PARTITIONS = 2
    const elsewhere = Array.from({ length: 50 }, (_, n) => `s${n}`).find(id => partitionOf(id, PARTITIONS) === 1) ?? ''
    const events = () => new QueueEvents('whatsapp-jobs', { connection: { url: server.url } })
    const ownAll = async () =>
      Promise.all([0, 1].map(async partition => bench.own(sessions, { partition, partitions: PARTITIONS })))

    it.each([
      ['completed', async () => ({ key: { id: 'X' } })],
      ['failed', async () => Promise.reject(new JobFailure('INTERNAL', 'no luck'))],
    ] as const)('hear of a job that %s in another queue than the one it was put into', async (state, work) => {
      const listener = events()
      await listener.waitUntilReady()
      const gate = Promise.withResolvers<void>()
      sessions.work = async () => gate.promise.then(work) as Promise<JobResult>
      await ownAll()
      const [job] = await add(elsewhere, ['x'])
      await until('the job to run', async () => sessions.started.length === 1)
      const waiting = job?.waitUntilFinished(listener, 10_000)
      const settled = waiting?.then(
        value => ({ value: value as unknown }),
        (error: Error) => ({ error: error.message }),
      )
      gate.resolve()
      expect(await settled).toEqual(
        state === 'completed' ? { value: { key: { id: 'X' } } } : { error: 'INTERNAL: no luck' },
      )
      await listener.close()
      const left = await bench.redis.keys(`bull:whatsapp-jobs:${job?.id ?? ''}*`)
      expect(left).toEqual([])
    })
  })
})
