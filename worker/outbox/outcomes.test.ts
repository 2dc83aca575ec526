import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { jobEvent, outboxEvent } from '../../shared/events.ts'
import { keys } from '../../shared/keys.ts'
import { until } from '../../dev/stack/until.ts'
import { JOB_OPTIONS } from '../../shared/contract.ts'
import type { Ending, Outcomes } from '../jobs/ending.ts'
import { createFinisher } from '../jobs/bullmq/finish.ts'
import { layoutOf } from '../jobs/bullmq/layout.ts'
import { readOptions } from '../jobs/bullmq/options.ts'
import { createBench, fakeSessions, text, type Bench, type BenchOwner } from '../../dev/testing/owned-partition.ts'
import { JobFailure } from '../jobs/job.ts'
import { createOutbox } from './append.ts'
import { createDeliverer } from './deliverer.ts'
import { createGate } from './gate.ts'
import { createWindow } from './window.ts'
import { outcomeOf } from './outcomes.ts'
import { appendScript } from './scripts.ts'
import { log, message, testClock } from '../../dev/testing/outbox.ts'
import { createBudget } from './budget.ts'

const budget = createBudget({ session: Infinity, partition: Infinity })

let server: RunningRedis
let bench: Bench
let stored: ReturnType<typeof vi.fn<Outcomes['stored']>>

beforeAll(async () => void (server = await startRedis()))
afterAll(async () => server.close())
beforeEach(() => {
  bench = createBench(server)
  stored = vi.fn<Outcomes['stored']>()
})
afterEach(async () => {
  await bench.redis.flushall()
  await bench.close()
})

const outcomes = (): Outcomes => ({ of: outcomeOf, stored })
const eventsOf = async (sessionId: string) => {
  const entries = await bench.redis.xrange(keys.outbox(sessionId), '-', '+')
  return entries.map(([entryId, [, id, , , , body]]) => ({
    entryId,
    id,
    event: outboxEvent.parse(JSON.parse(body ?? '')),
  }))
}
/** There is such a session. */
const exists = async (sessionId: string) => bench.redis.hset(keys.session(sessionId), 'state', 'open')

describe('the event of an ended job', () => {
  test('stands in the outbox once the job has ended, in order with the rest', async () => {
    await exists('s')
    const sessions = fakeSessions()
    sessions.work = async ({ id }) => {
      if (id !== '1') throw new JobFailure('NOT_ON_WHATSAPP', 'no such number', id === '2' ? 'backoff' : 'never')
      return { key: { remoteJid: 'a@s.whatsapp.net', fromMe: true, id: 'M1' } }
    }
    const { fence } = await bench.own(sessions, { outcomes: outcomes() })
    const outbox = createOutbox({ redis: bench.redis, log, clock: testClock(), budget })
    const queue = bench.queue()
    const ended = async (count: number) => until('the event', async () => (await eventsOf('s')).length === count)
    await outbox.append(fence, message('s', 'before'))
    await queue.add('SEND_TEXT', text('s', 'x'), JOB_OPTIONS)
    await ended(2)
    await outbox.append(fence, message('s', 'between'))
    await queue.add('SEND_TEXT', text('s', 'x'), { attempts: 2, backoff: 10 })
    await ended(4)
    await queue.add('SEND_TEXT', { sessionId: 's' })
    await ended(5)
    const events = await eventsOf('s')
    expect(events.map(({ entryId }) => entryId)).toEqual(['1-0', '2-0', '3-0', '4-0', '5-0'])
    expect(new Set(events.map(({ id }) => id)).size).toBe(5)
    const common = { sessionId: 's', timestamp: expect.closeTo(Date.now() / 1000, -2) as number }
    expect(events.map(({ event }) => event)).toMatchObject([
      message('s', 'before'),
      {
        event: 'job.completed',
        ...common,
        data: { jobId: '1', name: 'SEND_TEXT', attempts: 1, result: { key: { id: 'M1' } } },
      },
      message('s', 'between'),
      {
        event: 'job.failed',
        ...common,
        data: { jobId: '2', attempts: 2, error: { code: 'NOT_ON_WHATSAPP', message: 'no such number' } },
      },
      { event: 'job.failed', ...common, data: { jobId: '3', attempts: 1, error: { code: 'INVALID_JOB' } } },
    ])
    expect(stored.mock.calls).toEqual([
      ['s', 2],
      ['s', 4],
      ['s', 5],
    ])
    expect(await bench.redis.zscore(keys.undelivered(0), 's')).not.toBeNull()
  })

  test('is not there unless it is asked for, and never for an operation', async () => {
    await exists('s')
    const sessions = fakeSessions()
    const owner = await bench.own(sessions)
    await bench.queue().add('SEND_TEXT', text('s', 'x'), JOB_OPTIONS)
    await until('the end', async () => (await bench.redis.exists(keys.receipt('whatsapp-jobs', '1'))) === 1)
    await owner.drain()
    await bench.own(sessions, { outcomes: outcomes() })
    await bench.queue().add('REPLAY_EVENTS', { sessionId: 's', fromSeq: 1 }, JOB_OPTIONS)
    await until('the end', async () => (await bench.redis.exists(keys.receipt('whatsapp-jobs', '2'))) === 1)
    expect(await bench.redis.exists(keys.cursor('s'), keys.outbox('s'), keys.undelivered(0))).toBe(0)
  })

  test('is stored once, however often the end is told', async () => {
    await exists('s')
    const { finish, seqs } = await finishing()
    await finish({ state: 'completed', result: {} })
    await finish({ state: 'completed', result: {} })
    await finish({ state: 'failed', code: 'INTERNAL', message: '' })
    expect(await eventsOf('s')).toMatchObject([{ event: { event: 'job.completed' } }])
    expect(seqs()).toEqual([1, 1, 1])
  })

  test('does not hide from a repeated append that it was done', async () => {
    await exists('s')
    const { finish, owner } = await finishing()
    const scriptKeys = [keys.cursor('s'), keys.outbox('s'), keys.undelivered(0), keys.session('s'), keys.received('s')]
    const append = async () => appendScript.run(bench.redis, owner.fence, scriptKeys, ['s', 1, 1, 0, 'evt_a', '{}'])
    await append()
    await finish({ state: 'completed', result: {} })
    await append()
    expect(await bench.redis.xlen(keys.outbox('s'))).toBe(2)
  })
})

describe('of a session that is deleted or never was', () => {
  test('is delivered, and leaves no key of the session but receipts, which expire', async () => {
    const sessions = fakeSessions()
    sessions.work = async () => {
      throw new JobFailure('SESSION_NOT_FOUND', 'there is no such session')
    }
    const delivered: unknown[] = []
    const { fence } = await bench.own(sessions, {
      outcomes: { of: outcomeOf, stored: (sessionId, seq) => deliverer.ring(sessionId, seq) },
    })
    const clock = testClock()
    const gate = createGate({ log })
    const deliverer = createDeliverer({
      redis: bench.redis,
      log,
      clock,
      fence,
      outbox: createOutbox({ redis: bench.redis, log, clock, budget }),
      budget,
      gate,
      window: createWindow(gate),
      attempt: async ({ body }) => {
        delivered.push(jobEvent.parse(JSON.parse(body)))
        return { kind: 'delivered', status: 204 }
      },
    })
    const stopping = new AbortController()
    const running = deliverer.run(stopping.signal)
    const count = 30
    for (let i = 0; i < count; i++) {
      await bench.queue().add('SEND_TEXT', text('nobody', 'x'), { attempts: 1, removeOnFail: true })
      // Some come while the outbox of the one before is just being removed, some after it.
      if (i % 3 === 0) await until('the event', () => delivered.length === i + 1)
    }
    await until('all events', () => delivered.length === count)
    await until('the outbox to go', async () => (await bench.redis.zcard(keys.undelivered(0))) === 0)
    stopping.abort()
    await running
    expect(delivered.at(-1)).toMatchObject({ data: { error: { code: 'SESSION_NOT_FOUND' } } })
    expect(await bench.redis.keys('kurir:*nobody*')).toEqual([keys.receipts('nobody')])
    expect(await bench.redis.ttl(keys.receipts('nobody'))).toBeGreaterThan(0)
  })
})

/** A job that is active, and a way to end it. */
async function finishing() {
  const owner: BenchOwner = await bench.own(fakeSessions())
  await owner.drain()
  const layout = layoutOf('whatsapp-jobs')
  await bench.queue().add('SEND_TEXT', text('s', 'x'), JOB_OPTIONS)
  await bench.redis.lmove(layout.wait, layout.active, 'RIGHT', 'LEFT')
  const { redis } = bench
  const finisher = createFinisher({ redis, fence: owner.fence, layout, clock: testClock() }, outcomes())
  const ref = { id: '1', name: 'SEND_TEXT', sessionId: 's', attemptsMade: 0, options: readOptions('{}') }
  return {
    owner,
    finish: async (ending: Ending) => finisher.finish(ref, ending),
    seqs: () => stored.mock.calls.map(([, seq]) => seq),
  }
}
