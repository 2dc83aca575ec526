import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { startRedis } from '../../dev/redis/start.ts'
import { log, testRedis, type TestFence } from '../../dev/testing/outbox.ts'
import { connectRedis } from './connection.ts'
import { FencedError, fencedScript } from './fenced.ts'

const ADD = fencedScript(`return redis.call('RPUSH', KEYS[1], unpack(ARGV))`)
const NOTHING = fencedScript(`local unused = KEYS[1]`)
const HALF = fencedScript(`redis.call('SET', KEYS[1], 'half')\nreturn redis.call('RPUSH', KEYS[1], 'x')`)
const REFUSE = fencedScript(`return redis.error_reply('NO such thing')`)
const BROKEN = fencedScript(`return nil + 1`)

let server: ReturnType<typeof testRedis>
let fence: TestFence

beforeAll(async () => {
  server = testRedis(await startRedis())
})
afterAll(async () => server.close())
beforeEach(async () => {
  await server.redis.flushall()
  fence = await server.claim()
})

const add = async (list: string, ...values: (string | number | Buffer)[]) =>
  ADD.run(server.redis, fence, [list], values)

describe('fenced scripts', () => {
  test('of one turn go in one command, in their order, each with its own keys, arguments and reply', async () => {
    const calls = vi.spyOn(server.redis, 'evalsha')
    const replies = await Promise.all([
      add('a', 'one'),
      NOTHING.run(server.redis, fence, ['b'], []),
      add('a', 'two', 3),
      add('b', Buffer.from([0, 255])),
    ])
    expect(replies).toEqual([1, null, 3, 1])
    expect(calls).toHaveBeenCalledTimes(1)
    calls.mockRestore()
    expect(await server.redis.lrange('a', 0, -1)).toEqual(['one', 'two', '3'])
    expect(await server.redis.lrangeBuffer('b', 0, -1)).toEqual([Buffer.from([0, 255])])
  })

  test('that are large go in several commands, since providers refuse those above 10 MiB, still in their order', async () => {
    const calls = vi.spyOn(server.redis, 'evalsha')
    const parts = Array.from({ length: 24 }, (_, n) => `${n} ${'ü'.repeat(500_000)}`)
    await Promise.all(parts.map(async part => add('a', part)))
    const sizes = calls.mock.calls.map(args =>
      args.reduce<number>((sum, arg) => sum + Buffer.byteLength(String(arg)), 0),
    )
    calls.mockRestore()
    expect(Math.max(...sizes)).toBeLessThan(5 * 1024 * 1024)
    expect(await server.redis.lrange('a', 0, -1)).toEqual(parts)
  })

  test('that fail do so alone', async () => {
    const outcomes = await Promise.allSettled([
      add('a', 'before'),
      HALF.run(server.redis, fence, ['half'], []),
      REFUSE.run(server.redis, fence, [], []),
      BROKEN.run(server.redis, fence, [], []),
      add('a', 'after'),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected', 'fulfilled'])
    const messages = outcomes.map(outcome => (outcome.status === 'rejected' ? String(outcome.reason) : ''))
    expect(messages[1]).toMatch(/ReplyError: WRONGTYPE/)
    expect(messages[2]).toMatch(/ReplyError: NO such thing/)
    expect(messages[3]).toMatch(/ReplyError: .*arithmetic on a nil value/)
    expect(await server.redis.lrange('a', 0, -1)).toEqual(['before', 'after'])
  })

  test('write nothing when the lease is another’s', async () => {
    await server.redis.set('kurir:lease:0', 'other:9')
    const outcomes = await Promise.allSettled([add('a', 'one'), add('b', 'two')])
    for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: expect.any(FencedError) as unknown })
    expect(await server.redis.exists('a', 'b')).toBe(0)
  })

  test('of two owners are fenced one by one', async () => {
    const stale = { ...fence, token: 'before:0' }
    const outcomes = await Promise.allSettled([ADD.run(server.redis, stale, ['a'], ['old']), add('a', 'new')])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    expect(await server.redis.lrange('a', 0, -1)).toEqual(['new'])
  })

  test('of two partitions are fenced one by one, though the token is the same', async () => {
    const other = { ...fence, partition: 1 }
    await server.redis.set('kurir:lease:1', 'somebody:3')
    const outcomes = await Promise.allSettled([
      add('a', 'ours'),
      ADD.run(server.redis, other, ['b'], ['lost']),
      add('a', 'ours, too'),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(outcomes[1]).toMatchObject({ reason: { message: 'the lease of partition 1 is lost' } })
    expect(await server.redis.exists('b')).toBe(0)
  })

  test('wait for a primary when theirs was made a replica', async () => {
    const redis = connectRedis(server.url, 'wait', log)
    await server.redis.replicaof('127.0.0.1', '1')
    const adding = ADD.run(redis, fence, ['a'], ['one'])
    await vi.waitUntil(async () => /errorstat_READONLY/.test(await server.redis.info('errorstats')), {
      timeout: 10_000,
    })
    await server.redis.replicaof('NO', 'ONE')
    expect(await adding).toBe(1)
    redis.disconnect()
  })

  test('run in their order when there are too many for one command, though Redis has forgotten them', async () => {
    await server.redis.script('FLUSH')
    const calls = vi.spyOn(server.redis, 'evalsha')
    const numbers = Array.from({ length: 200 }, (_, i) => String(i))
    await Promise.all(numbers.map(async n => add('a', n)))
    expect(calls.mock.calls.length).toBeGreaterThan(1)
    calls.mockRestore()
    expect(await server.redis.lrange('a', 0, -1)).toEqual(numbers)
  })
})
