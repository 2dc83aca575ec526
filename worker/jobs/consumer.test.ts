import { QueueEvents } from 'bullmq'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { until } from '../../dev/stack/until.ts'
import { JOB_OPTIONS } from '../../shared/contract.ts'
import { keys } from '../../shared/keys.ts'
import { receipt } from '../../shared/receipt.ts'
import { JobFailure } from './job.ts'
import { createBench, fakeSessions, text, texts, type Bench } from '../../dev/testing/owned-partition.ts'

let server: RunningRedis
let bench: Bench

beforeAll(async () => void (server = await startRedis()))
afterAll(async () => server.close())
beforeEach(() => void (bench = createBench(server)))
afterEach(async () => {
  await bench.redis.flushall()
  await bench.close()
})

const numbered = (sessionId: string, count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({
    name: 'SEND_TEXT',
    data: text(sessionId, `${from + i}`),
    opts: JOB_OPTIONS,
  }))
const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`)
const receiptOf = async (id: string, queue = 'whatsapp-jobs') =>
  receipt.parse(await bench.redis.hgetall(keys.receipt(queue, id)))

describe('consumer', () => {
  it('runs a job of a plain BullMQ producer, removes it and leaves a receipt', async () => {
    const sessions = fakeSessions()
    sessions.work = async () => ({ key: { remoteJid: 'a@s.whatsapp.net', fromMe: true, id: 'M1' } })
    await bench.own(sessions)
    const job = await bench.queue().add('SEND_TEXT', text('s', 'hello'), JOB_OPTIONS)
    await until('the receipt', async () => (await bench.redis.exists(keys.receipt('whatsapp-jobs', '1'))) === 1)
    expect(sessions.ran).toMatchObject([{ id: '1', queue: 'whatsapp-jobs', attempt: 1, createdAt: job.timestamp }])
    expect(await bench.redis.exists('bull:whatsapp-jobs:1')).toBe(0)
    expect(await bench.redis.llen('bull:whatsapp-jobs:active')).toBe(0)
    expect(await receiptOf('1')).toMatchObject({
      sessionId: 's',
      name: 'SEND_TEXT',
      state: 'completed',
      attempts: 1,
      result: { key: { id: 'M1' } },
    })
    expect(await bench.redis.zrange(keys.receipts('s'), '0', '-1')).toEqual([keys.receipt('whatsapp-jobs', '1')])
    expect(await bench.redis.ttl(keys.receipt('whatsapp-jobs', '1'))).toBeGreaterThan(86_000)
  })

  it('tells BullMQ listeners of the outcome', async () => {
    const sessions = fakeSessions()
    sessions.work = async () => ({ groupJid: '1@g.us' })
    const events = new QueueEvents('whatsapp-jobs', { connection: { url: server.url } })
    await events.waitUntilReady()
    await bench.own(sessions)
    const job = await bench
      .queue()
      .add('GROUP_CREATE', { sessionId: 's', subject: 'x', participants: ['628123456789'] })
    expect(await job.waitUntilFinished(events, 5000)).toEqual({ groupJid: '1@g.us' })
    expect(await job.getState()).toBe('completed')
    await events.close()
  })

  it('keeps the order of each session, one job at a time, whatever the others do', async () => {
    const sessions = fakeSessions()
    sessions.work = async () => new Promise(resolve => setTimeout(resolve, Math.random() * 3))
    const names = ['a', 'b', 'c', 'd', 'e']
    const jobs = numbers(60).flatMap(i =>
      names.map(name => ({ name: 'SEND_TEXT', data: text(name, i), opts: JOB_OPTIONS })),
    )
    await bench.queue().addBulk(jobs)
    await bench.own(sessions)
    await until('all to run', async () => sessions.ran.length === 300)
    for (const name of names) {
      expect(texts(sessions.ran.filter(job => job.data.sessionId === name))).toEqual(numbers(60))
    }
    expect(sessions.most).toBe(1)
  })

  it('sends a failed attempt through its backoff, and the lane goes on meanwhile', async () => {
    const sessions = fakeSessions()
    sessions.work = async job => {
      if (texts([job])[0] === '0' && job.attempt < 3)
        throw new JobFailure('MEDIA_FETCH_FAILED', 'answered 500', 'backoff')
    }
    const opts = { ...JOB_OPTIONS, backoff: { type: 'exponential', delay: 100 } }
    await bench.own(sessions)
    await bench.queue().addBulk(numbered('s', 3).map(job => ({ ...job, opts })))
    await until('all to run', async () => sessions.ran.length === 3)
    expect(texts(sessions.ran)).toEqual(['1', '2', '0'])
    expect(sessions.started.filter(job => job.id === '1').map(job => job.attempt)).toEqual([1, 2, 3])
    await until('the receipt', async () => (await receiptOf('1')).attempts === 3)
  })

  it('fails a job for good when its attempts are used up, or at once when told so', async () => {
    const sessions = fakeSessions()
    sessions.work = async job => {
      throw new JobFailure('NOT_ON_WHATSAPP', 'no such number', job.id === '1' ? 'backoff' : 'never')
    }
    await bench.own(sessions)
    const opts = { ...JOB_OPTIONS, attempts: 2, backoff: 10 }
    const [one, two] = await bench.queue().addBulk(numbered('s', 2).map(job => ({ ...job, opts })))
    await until('both to fail', async () => (await bench.queue().getFailedCount()) === 2)
    expect(sessions.started.map(job => job.id).sort()).toEqual(['1', '1', '2'])
    expect((await bench.queue().getJob(one?.id ?? ''))?.failedReason).toBe('NOT_ON_WHATSAPP: no such number')
    expect((await bench.queue().getJob(two?.id ?? ''))?.attemptsMade).toBe(1)
    expect(await receiptOf('2')).toMatchObject({ state: 'failed', code: 'NOT_ON_WHATSAPP', message: 'no such number' })
  })

  it('treats a defect as INTERNAL and tells nothing of it', async () => {
    const sessions = fakeSessions()
    sessions.work = async () => {
      throw new TypeError('secret text in a message')
    }
    await bench.own(sessions)
    const job = await bench.queue().add('SEND_TEXT', text('s', 'x'), { attempts: 1 })
    await until('it to fail', async () => job.isFailed())
    expect((await bench.queue().getJob(job.id ?? ''))?.failedReason).toMatch(/^INTERNAL: (?!.*secret)/)
  })

  it('runs delayed jobs when they are due, and prioritized ones in their order', async () => {
    const sessions = fakeSessions()
    const queue = bench.queue()
    const before = Date.now()
    await queue.add('SEND_TEXT', text('s', 'late'), { ...JOB_OPTIONS, delay: 2000 })
    await queue.add('SEND_TEXT', text('s', 'p2'), { ...JOB_OPTIONS, priority: 2 })
    await queue.add('SEND_TEXT', text('s', 'p1'), { ...JOB_OPTIONS, priority: 1 })
    await queue.add('SEND_TEXT', text('s', 'plain'), JOB_OPTIONS)
    await bench.own(sessions)
    await until('all to run', async () => sessions.ran.length === 4)
    expect(texts(sessions.ran)).toEqual(['plain', 'p1', 'p2', 'late'])
    expect(Date.now() - before).toBeGreaterThanOrEqual(2000)
    await queue.add('SEND_TEXT', text('s', 'later'), { ...JOB_OPTIONS, delay: 200 })
    await until('the delayed one', async () => sessions.ran.length === 5)
  })

  it('stands still while the queue is paused', async () => {
    const sessions = fakeSessions()
    await bench.own(sessions)
    await bench.queue().pause()
    await bench.queue().add('SEND_TEXT', text('s', 'x'), JOB_OPTIONS)
    await new Promise(resolve => setTimeout(resolve, 200))
    expect(sessions.started).toEqual([])
    await bench.queue().resume()
    await until('it to run', async () => sessions.ran.length === 1)
  })

  it('keeps to a global rate limit', async () => {
    const sessions = fakeSessions()
    await bench.queue().setGlobalRateLimit(5, 300)
    await bench.queue().addBulk(numbered('s', 12))
    const before = Date.now()
    await bench.own(sessions)
    await until('all to run', async () => sessions.ran.length === 12)
    expect(Date.now() - before).toBeGreaterThan(500)
    expect(texts(sessions.ran)).toEqual(numbers(12))
  })

  it('goes on with a BullMQ job scheduler', async () => {
    const sessions = fakeSessions()
    await bench.own(sessions)
    const template = { name: 'SEND_TEXT', data: text('s', 'tick'), opts: { removeOnComplete: true } }
    await bench.queue().upsertJobScheduler('ticker', { every: 200, limit: 3 }, template)
    await until('three of them', async () => sessions.ran.length === 3)
    expect(texts(sessions.ran)).toEqual(['tick', 'tick', 'tick'])
    expect(new Set(sessions.ran.map(job => job.id)).size).toBe(3)
  })

  it('refuses garbage with its reasons and goes on', async () => {
    const sessions = fakeSessions()
    await bench.own(sessions)
    const queue = bench.queue()
    const bad = await queue.addBulk([
      { name: 'FORMAT_DISK', data: { sessionId: 's' } },
      { name: 'SEND_TEXT', data: null },
      { name: 'SEND_TEXT', data: [] },
      { name: 'SEND_TEXT', data: { to: '1', text: 'x' } },
      { name: 'SEND_TEXT', data: { sessionId: '../../etc', to: '6281234567890', text: 'x' } },
      { name: '__proto__', data: JSON.parse('{"__proto__": {"sessionId": "s"}, "constructor": 1}') },
      { name: 'SEND_TEXT', data: text('s', 'x'.repeat(2_000_000)) },
      { name: 'SEND_POLL', data: { sessionId: 's', to: '1@g.us', name: 'q', options: ['a'], selectableCount: 9 } },
    ])
    // What BullMQ itself would never write.
    await bench.redis.hset('bull:whatsapp-jobs:broken', {
      name: 'SEND_TEXT',
      data: '{"sessionId": "s',
      opts: '{{{',
      timestamp: 'x',
      atm: '-7',
    })
    await bench.redis.hset('bull:whatsapp-jobs:nested', { name: 'SEND_TEXT', data: '['.repeat(100_000), opts: '[]' })
    await bench.redis.lpush('bull:whatsapp-jobs:wait', 'broken', 'nested', 'no-such-job')
    await queue.add('SEND_TEXT', text('s', 'fine'), JOB_OPTIONS)
    await until('the good one', async () => sessions.ran.length === 1)
    await until('the bad ones', async () => (await queue.getFailedCount()) === bad.length + 2)
    const failed = await bench.redis.zrange('bull:whatsapp-jobs:failed', '0', '-1')
    const reasons = await Promise.all(
      failed.map(async id => (await bench.redis.hget(`bull:whatsapp-jobs:${id}`, 'failedReason')) ?? ''),
    )
    expect(reasons.every(reason => reason.startsWith('INVALID_JOB: '))).toBe(true)
    expect(reasons).toContain('INVALID_JOB: data must be JSON')
    expect(reasons.join()).toContain('data.sessionId')
    expect(Math.max(...reasons.map(reason => reason.length))).toBeLessThan(600)
    expect(await bench.redis.llen('bull:whatsapp-jobs:active')).toBe(0)
    expect(await bench.redis.exists('bull:whatsapp-jobs:no-such-job')).toBe(0)
  })

  it('does not run a job after its expiresAt', async () => {
    const sessions = fakeSessions()
    await bench.own(sessions)
    const opts = { ...JOB_OPTIONS, expiresAt: Date.now() - 1 }
    const job = await bench.queue().add('SEND_TEXT', text('s', 'x'), opts)
    await until('it to fail', async () => job.isFailed())
    expect((await receiptOf('1')).code).toBe('JOB_EXPIRED')
    expect(sessions.started).toEqual([])
  })

  it('wakes within milliseconds and asks Redis for next to nothing while idle', async () => {
    const sessions = fakeSessions()
    await bench.own(sessions)
    await bench.queue().add('SEND_TEXT', text('s', 'warm'), JOB_OPTIONS)
    await until('it to run', async () => sessions.ran.length === 1)
    await until('idleness', async () => (await bench.redis.info('clients')).includes('blocked_clients:1'))
    await bench.redis.config('RESETSTAT')
    await bench.queue().add('SEND_TEXT', text('s', 'x'), JOB_OPTIONS)
    await until('it to run', async () => sessions.ran.length === 2)
    await until('idleness', async () => (await bench.redis.info('clients')).includes('blocked_clients:1'))
    await new Promise(resolve => setTimeout(resolve, 300))
    const stats = await bench.redis.info('commandstats')
    const calls = (name: string) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
    // One to add, one to take, one to finish; and one wait that ended, one that began.
    expect(calls('evalsha')).toBe(3)
    expect(calls('bzpopmin')).toBeLessThanOrEqual(2)
  })

  it('writes nothing once another owner has the lease', async () => {
    const sessions = fakeSessions()
    const { promise: hung, resolve: go } = Promise.withResolvers<void>()
    sessions.work = async () => hung
    await bench.own(sessions)
    await bench.queue().add('SEND_TEXT', text('s', 'x'), JOB_OPTIONS)
    await until('it to start', async () => sessions.started.length === 1)
    await bench.redis.set(keys.lease(0), 'other:99')
    go()
    await until('it to end', async () => sessions.ran.length === 1)
    await bench.queue().add('SEND_TEXT', text('s', 'y'), JOB_OPTIONS)
    await new Promise(resolve => setTimeout(resolve, 200))
    expect(sessions.started).toHaveLength(1)
    expect(await bench.redis.lrange('bull:whatsapp-jobs:active', 0, -1)).toEqual(['1'])
    expect(await bench.redis.exists(keys.receipt('whatsapp-jobs', '1'))).toBe(0)
  })
})
