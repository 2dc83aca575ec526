import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { until } from '../../dev/stack/until.ts'
import { JOB_OPTIONS } from '../../shared/contract.ts'
import { keys } from '../../shared/keys.ts'
import { forwardedId, partitionOf } from '../../shared/partition.ts'
import { receipt } from '../../shared/receipt.ts'
import { JobFailure } from './job.ts'
import type { Operate } from './operations.ts'
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

const replay = (sessionId: string, opts = JOB_OPTIONS) =>
  bench.queue().add('REPLAY_EVENTS', { sessionId, fromSeq: 3 }, opts)
const receiptOf = async (id = '', queue = 'whatsapp-jobs') => {
  const key = keys.receipt(queue, id)
  await until('the receipt', async () => (await bench.redis.exists(key)) === 1)
  return receipt.parse(await bench.redis.hgetall(key))
}

describe('an operation', () => {
  it('is done at once for a session whose lane cannot move, and overtakes nothing there', async () => {
    const sessions = fakeSessions()
    sessions.down('s')
    const operate = vi.fn<Operate>(async () => ({ replayed: 4 }))
    await bench.own(sessions, { operate })
    for (let i = 0; i < 5; i++) await bench.queue().add('SEND_TEXT', text('s', `${i}`), JOB_OPTIONS)
    await until('the lane to park', async () => (await bench.redis.llen(keys.lane('s'))) === 5)
    const { id } = await replay('s')
    const result = { replayed: 4 }
    expect(await receiptOf(id)).toMatchObject({ name: 'REPLAY_EVENTS', state: 'completed', attempts: 1, result })
    const prioritized = await replay('s', { ...JOB_OPTIONS, priority: 1 } as typeof JOB_OPTIONS)
    expect(await receiptOf(prioritized.id)).toMatchObject({ state: 'completed' })
    expect(operate.mock.calls).toEqual(
      Array.from({ length: 2 }, () => [{ name: 'REPLAY_EVENTS', data: { sessionId: 's', fromSeq: 3 } }]),
    )
    expect(await bench.redis.llen(keys.lane('s'))).toBe(5)
    sessions.up('s')
    await until('the jobs to run', () => sessions.ran.length === 5)
    expect(texts(sessions.ran)).toEqual(['0', '1', '2', '3', '4'])
  })

  it('fails with its code, and with INVALID_JOB when its data is wrong', async () => {
    const operate: Operate = async () => {
      throw new JobFailure('EVENT_NOT_PARKED', 'event 3 is not parked')
    }
    await bench.own(fakeSessions(), { operate })
    const { id } = await bench.queue().add('REDRIVE_EVENT', { sessionId: 's', seq: 3 }, JOB_OPTIONS)
    expect(await receiptOf(id)).toMatchObject({ state: 'failed', code: 'EVENT_NOT_PARKED', attempts: 1 })
    const wrong = await bench.queue().add('REDRIVE_EVENT', { sessionId: 's', seq: 0 }, JOB_OPTIONS)
    expect(await receiptOf(wrong.id)).toMatchObject({ state: 'failed', code: 'INVALID_JOB' })
  })

  it('is tried again when Redis or a defect was in its way', async () => {
    let calls = 0
    const operate: Operate = async () => {
      if (calls++ === 0) throw new TypeError('a secret')
      return { replayed: 0 }
    }
    await bench.own(fakeSessions(), { operate })
    const { id } = await replay('s', { ...JOB_OPTIONS, backoff: { type: 'exponential', delay: 10 } } as never)
    expect(await receiptOf(id)).toMatchObject({ state: 'completed', attempts: 2 })
  })

  it('reaches the owner of its session from any queue', async () => {
    const sessionId = ['a', 'b', 'c', 'd', 'e'].find(name => partitionOf(name, 2) === 1) ?? ''
    const operate = vi.fn<Operate>(async () => ({ replayed: 1 }))
    await bench.own(fakeSessions(), { partitions: 2 })
    await bench.own(fakeSessions(), { partition: 1, partitions: 2, operate })
    const { id = '' } = await replay(sessionId)
    expect(await receiptOf(forwardedId(0, id), 'whatsapp-jobs-1')).toMatchObject({ result: { replayed: 1 } })
    expect(operate).toHaveBeenCalledOnce()
  })

  it('is done by the next owner when its owner dies over it', async () => {
    const started = Promise.withResolvers<void>()
    const first = await bench.own(fakeSessions(), {
      operate: async () => {
        started.resolve()
        return new Promise(() => {})
      },
    })
    const { id } = await replay('s')
    await started.promise
    first.kill()
    await bench.own(fakeSessions(), { operate: async () => ({ replayed: 2 }) })
    expect(await receiptOf(id)).toMatchObject({ state: 'completed', result: { replayed: 2 } })
  })
})
