import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { startRedis } from '../../dev/redis/start.ts'
import { keys } from '../../shared/keys.ts'
import { readSessionView } from '../../shared/session.ts'
import { FencedError } from '../redis/fenced.ts'
import { createOutbox, type LocalOutbox } from './append.ts'
import { appendScript } from './scripts.ts'
import { REMEMBERED } from './outbox.ts'
import { log, message, testClock, testRedis, type TestFence } from '../../dev/testing/outbox.ts'
import { createBudget } from './budget.ts'

const clock = testClock()
let server: ReturnType<typeof testRedis>
let outbox: LocalOutbox
let fence: TestFence

beforeAll(async () => {
  server = testRedis(await startRedis())
})
afterAll(async () => server.close())
beforeEach(async () => {
  await server.redis.flushall()
  fence = await server.claim()
  outbox = createOutbox({
    redis: server.redis,
    log,
    clock,
    budget: createBudget({ session: Infinity, partition: Infinity }),
  })
})

interface Stored {
  seq: number
  id: string
  at: number
  body: string
}

async function stored(sessionId: string): Promise<Stored[]> {
  const entries = await server.redis.xrange(keys.outbox(sessionId), '-', '+')
  return entries.map(([entryId, [, id = '', , at = '', , body = '']]) => ({
    seq: Number(entryId.replace(/-0$/, '')),
    id,
    at: Number(at),
    body,
  }))
}

describe('append', () => {
  test('numbers the events of a session and keeps their exact text', async () => {
    const event = message('a', 'Halo 👍 "kutip" \u2028')
    expect(await outbox.append(fence, event)).toBe(1)
    expect(await outbox.append(fence, message('b', 'x'))).toBe(1)
    expect(await outbox.append(fence, event)).toBe(2)
    const events = await stored('a')
    expect(events.map(({ seq, body }) => ({ seq, body }))).toEqual([
      { seq: 1, body: JSON.stringify(event) },
      { seq: 2, body: JSON.stringify(event) },
    ])
    expect(await server.redis.zrange(keys.undelivered(0), '0', '-1')).toEqual(['a', 'b'])
  })

  test('gives every event an id of its own without dots', async () => {
    await Promise.all(['1', '2', '3'].map(async text => outbox.append(fence, message('a.b', text))))
    const ids = (await stored('a.b')).map(event => event.id)
    expect(new Set(ids).size).toBe(3)
    for (const id of ids) expect(id).toMatch(/^evt_[\w-]{22}$/)
  })

  test('stores in the order of the calls, although the script must be loaded first', async () => {
    await server.redis.script('FLUSH')
    const texts = Array.from({ length: 300 }, (_, i) => String(i))
    const seqs = await Promise.all(texts.map(async text => outbox.append(fence, message('a', text))))
    expect(seqs).toEqual(texts.map((_, i) => i + 1))
    expect((await stored('a')).map(event => event.body)).toEqual(texts.map(text => JSON.stringify(message('a', text))))
  })

  test('stores large events in several commands, since providers refuse those above 10 MiB', async () => {
    const calls = vi.spyOn(server.redis, 'evalsha')
    const texts = Array.from({ length: 24 }, (_, i) => `${i} ${'ü'.repeat(500_000)}`)
    const seqs = await Promise.all(texts.map(async text => outbox.append(fence, message('a', text))))
    const sizes = calls.mock.calls.map(args =>
      args.reduce<number>((sum, arg) => sum + Buffer.byteLength(String(arg)), 0),
    )
    calls.mockRestore()
    expect(seqs).toEqual(texts.map((_, i) => i + 1))
    expect(Math.max(...sizes)).toBeLessThan(5 * 1024 * 1024)
  })

  test('stores what the event was at the call', async () => {
    const event = message('a', 'before')
    const done = outbox.append(fence, event)
    event.timestamp = 0
    await done
    expect((await stored('a'))[0]?.body).toBe(JSON.stringify(message('a', 'before')))
  })

  test('replaces the whole view in the same step', async () => {
    await server.redis.hset(keys.session('a'), { state: 'pairing', qr: '2@old' })
    const view = { state: 'open', jid: '62812@s.whatsapp.net', updatedAt: 5 } as const
    await outbox.append(fence, message('a', 'x'), { view })
    expect(readSessionView(await server.redis.hgetall(keys.session('a')))).toEqual(view)
    await outbox.append(fence, message('a', 'y'))
    expect(readSessionView(await server.redis.hgetall(keys.session('a')))).toEqual(view)
  })

  test('keeps the newest view of calls that are stored together', async () => {
    const done = Array.from({ length: 5 }, async (_, i) =>
      outbox.append(fence, message('a', 'x'), { view: { state: 'open', updatedAt: i } }),
    )
    await Promise.all([...done, outbox.append(fence, message('a', 'y'))])
    expect(await server.redis.hgetall(keys.session('a'))).toEqual({ state: 'open', updatedAt: '4' })
  })

  test('tells who listens on the partition, after Redis has it', async () => {
    const heard = vi.fn<(sessionId: string, seq: number, count: number, at: number) => void>()
    const stop = outbox.listen(0, heard)
    outbox.listen(1, () => expect.unreachable())
    await outbox.append(fence, message('a', 'x'))
    expect(heard.mock.calls).toEqual([['a', 1, 1, expect.any(Number)]])
    stop()
    await outbox.append(fence, message('a', 'x'))
    expect(heard).toHaveBeenCalledOnce()
  })

  test('writes nothing once another worker has the lease', async () => {
    await outbox.append(fence, message('a', 'mine'))
    await server.claim()
    const view = { state: 'stopped', updatedAt: 1 } as const
    const results = await Promise.allSettled([
      outbox.append(fence, message('a', 'late'), { view }),
      outbox.append(fence, message('a', 'later')),
      outbox.deleteAfterDelivery(fence, 'a'),
    ])
    for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: expect.any(FencedError) })
    expect(await stored('a')).toHaveLength(1)
    expect(await server.redis.exists(keys.session('a'))).toBe(0)
    expect(await server.redis.hget(keys.cursor('a'), 'deleted')).toBeNull()
  })

  test('waits while Redis is away, and keeps the order', async () => {
    await server.cut()
    const first = outbox.append(fence, message('a', '1'))
    const second = outbox.append(fence, message('a', '2'))
    await server.redis.connect()
    expect(await Promise.all([first, second])).toEqual([1, 2])
    expect((await stored('a')).map(event => event.body)).toEqual(['1', '2'].map(n => JSON.stringify(message('a', n))))
  })

  test('stores an event once when a reply is lost', async () => {
    const scriptKeys = [keys.cursor('a'), keys.outbox('a'), keys.undelivered(0), keys.session('a'), keys.received('a')]
    const args = ['a', 1, 2, 1, 'evt_1', '{"n":1}', 'evt_2', '{"n":2}', 'a name', 'state', 'open']
    expect(await appendScript.run(server.redis, fence, scriptKeys, args)).toEqual(['2', 14])
    expect(await appendScript.run(server.redis, fence, scriptKeys, args)).toEqual(['2', 14])
    expect((await stored('a')).map(event => event.body)).toEqual(['{"n":1}', '{"n":2}'])
    expect(await outbox.received(fence, 'a')).toEqual(['a name'])
  })

  test('keeps the names of the last messages, newest first, with their events', async () => {
    const append = async (n: number) => outbox.append(fence, message('a', String(n)), { received: `name ${n}` })
    await Promise.all(Array.from({ length: REMEMBERED + 10 }, async (_, i) => append(i)))
    await outbox.append(fence, message('a', 'of no message'), { view: { state: 'open', updatedAt: 1 } })
    const names = await outbox.received(fence, 'a')
    expect(names).toHaveLength(REMEMBERED)
    expect([names.at(0), names.at(-1)]).toEqual([`name ${REMEMBERED + 9}`, 'name 10'])
    await server.claim()
    await expect(append(0)).rejects.toThrow(FencedError)
    await expect(outbox.received(fence, 'a')).rejects.toThrow(FencedError)
    fence = await server.claim()
    expect(await outbox.received(fence, 'a')).toEqual(names)
  })

  test('gives up waiting when the lease is gone', async () => {
    await server.cut()
    const done = outbox.append(fence, message('a', '1'))
    fence.abort()
    await expect(done).rejects.toBeInstanceOf(FencedError)
    await server.redis.connect()
    expect(await stored('a')).toEqual([])
  })

  test('throws at once what is no outage', async () => {
    await server.redis.set(keys.outbox('a'), 'not a stream')
    await expect(outbox.append(fence, message('a', 'x'))).rejects.toThrow('WRONGTYPE')
    expect(await outbox.append(fence, message('b', 'x'))).toBe(1)
  })
})

describe('deleteAfterDelivery', () => {
  test('leaves no key when nothing awaits delivery', async () => {
    await outbox.append(fence, message('a', 'x'), { view: { state: 'open', updatedAt: 1 }, received: 'a name' })
    await server.redis.hset(keys.cursor('a'), 'cursor', '1')
    await server.redis.zrem(keys.undelivered(0), 'a')
    await outbox.deleteAfterDelivery(fence, 'a')
    expect(await server.redis.keys('*')).toEqual([keys.lease(0)])
  })

  test('removes the view at once and the rest later, in the order of the calls', async () => {
    const calls = [
      outbox.append(fence, message('a', 'x'), { view: { state: 'open', updatedAt: 1 } }),
      outbox.append(fence, message('a', 'y')),
      outbox.deleteAfterDelivery(fence, 'a'),
    ]
    await Promise.all(calls)
    expect(await server.redis.exists(keys.session('a'))).toBe(0)
    expect(await server.redis.hget(keys.cursor('a'), 'deleted')).toBe('1')
    expect(await stored('a')).toHaveLength(2)
  })

  test('is taken back by a later event', async () => {
    await outbox.append(fence, message('a', 'x'))
    await outbox.deleteAfterDelivery(fence, 'a')
    expect(await outbox.append(fence, message('a', 'y'))).toBe(2)
    expect(await server.redis.hget(keys.cursor('a'), 'deleted')).toBeNull()
  })
})
