import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { startRedis } from '../../dev/redis/start.ts'
import { keys } from '../../shared/keys.ts'
import { importSecret, verify, type SigningKey } from '../../shared/signature.ts'
import { createGuardedAgent } from '../net/guard.ts'
import { createOutbox, type LocalOutbox } from './append.ts'
import { createDeliverer, type Deliverer, type DelivererDeps } from './deliverer.ts'
import { createEndpoint } from './endpoint.ts'
import { createGate } from './gate.ts'
import type { RetryPolicy } from './schedule.ts'
import { log, message, receiver, testClock, testRedis, type TestFence } from './testing.ts'

const DAY = 86_400_000
/** Retries at once: what matters here is what happens, and the times are schedule.test's. */
const policy: RetryPolicy = { delays: [5], giveUpAfterMs: 7 * DAY, longestRetryAfterMs: DAY }

const agent = createGuardedAgent({ allowHosts: new Set(['127.0.0.1']) })
let secrets: SigningKey[]
let server: ReturnType<typeof testRedis>
let hook: Awaited<ReturnType<typeof receiver>>
let clock: ReturnType<typeof testClock>
let outbox: LocalOutbox
let fence: TestFence
let running: Running[]

interface Running {
  deliverer: Deliverer
  fence: TestFence
  /** Ends it as a worker does that shuts down. */
  stop: () => Promise<void>
  /** Resolves when it has ended, by itself or not. */
  ended: Promise<void>
}

beforeAll(async () => {
  secrets = [await importSecret(`whsec_${btoa('s'.repeat(32))}`)]
  server = testRedis(await startRedis())
})
afterAll(async () => {
  await agent.close()
  await server.close()
})
beforeEach(async () => {
  await server.redis.flushall()
  hook = await receiver()
  clock = testClock()
  running = []
  fence = await server.claim()
  outbox = createOutbox({ redis: server.redis, log, clock })
})
afterEach(async () => {
  for (const { fence } of running) fence.abort()
  await Promise.all(running.map(async ({ stop }) => stop()))
  await hook.close()
})

function start(options: Partial<DelivererDeps> = {}): Running {
  const attempt = createEndpoint({ url: hook.url, secrets, dispatcher: agent, clock, timeoutMs: 2000 })
  const gate = createGate({ log, pauses: [20], random: () => 0 })
  const deps = { redis: server.redis, log, clock, fence, outbox, attempt, gate, policy, random: () => 0 }
  const deliverer = createDeliverer({ ...deps, ...options })
  const stopping = new AbortController()
  const ended = deliverer.run(stopping.signal)
  const stop = async () => {
    stopping.abort()
    await ended
  }
  const own = { deliverer, fence: (options.fence as TestFence | undefined) ?? fence, stop, ended }
  running.push(own)
  return own
}

const append = async (sessionId: string, ...texts: string[]) =>
  Promise.all(texts.map(async text => outbox.append(fence, message(sessionId, text))))
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => String(i + from))
const settled = async () =>
  vi.waitFor(async () => expect(await server.redis.zcard(keys.undelivered(0))).toBe(0), { timeout: 10_000 })
const cursor = async (sessionId: string) => Number(await server.redis.hget(keys.cursor(sessionId), 'cursor'))

describe('delivery', () => {
  test('sends what is appended, in order, signed, exactly as it was stored', async () => {
    start()
    await append('a', ...numbers(50))
    await append('b', 'x')
    await settled()
    expect(hook.texts('a')).toEqual(numbers(50))
    expect(hook.posts.filter(post => post.sessionId === 'a').map(post => post.seq)).toEqual(numbers(50, 1).map(Number))
    for (const post of hook.posts) {
      expect(post.body).toBe(JSON.stringify(message(post.sessionId, post.text)))
      expect((await verify(secrets, post.headers, post.body)).id).toBe(post.headers['webhook-id'])
      expect(post.attempt).toBe(1)
    }
  })

  test('sends what was appended before it began', async () => {
    await append('a', ...numbers(20))
    start()
    await settled()
    expect(hook.texts('a')).toEqual(numbers(20))
  })

  test('has one delivery in flight a session, and as many as allowed over sessions', async () => {
    hook.react(() => response => void setTimeout(() => response.writeHead(200).end(), 5))
    start({ concurrency: 4 })
    for (let i = 0; i < 10; i++) await append(`s${i}`, ...numbers(5))
    await settled()
    expect(hook.mostOpen()).toBe(4)
    for (let i = 0; i < 10; i++) expect(hook.texts(`s${i}`)).toEqual(numbers(5))
  })

  test('asks Redis nothing while there is nothing to deliver', async () => {
    start()
    await append('a', '1', '2')
    await settled()
    const calls = async () => Number(/total_commands_processed:(\d+)/.exec(await server.redis.info('stats'))?.[1])
    const before = await calls()
    await new Promise(resolve => setTimeout(resolve, 300))
    expect((await calls()) - before).toBeLessThanOrEqual(1)
  })
})

describe('a receiver that fails', () => {
  test.each([500, 404, 301, 'reset'] as const)(
    '%s: the event is sent again under its id, and nothing overtakes',
    async reaction => {
      let failures = 3
      hook.react(() => (failures-- > 0 ? reaction : 200))
      start()
      await append('a', ...numbers(10))
      await settled()
      expect(hook.texts('a')).toEqual(['0', '0', '0', ...numbers(10)])
      const first = hook.posts.slice(0, 4)
      expect(new Set(first.map(post => post.headers['webhook-id'])).size).toBe(1)
      expect(first.map(post => post.attempt)).toEqual([1, 2, 3, 4])
      expect(new Set(hook.posts.map(post => post.headers['webhook-id'])).size).toBe(10)
    },
  )

  test('for one session, down or slow, does not delay the others', async () => {
    hook.react(post => (post.sessionId === 'bad' ? 500 : post.sessionId === 'slow' ? 'hang' : 200))
    start({ concurrency: 2 })
    await append('bad', ...numbers(3))
    await append('slow', ...numbers(3))
    await append('good', ...numbers(30))
    await vi.waitFor(() => expect(hook.texts('good')).toEqual(numbers(30)), { timeout: 1500 })
    expect(hook.texts('slow')).toEqual(['0'])
    expect(new Set(hook.texts('bad'))).toEqual(new Set(['0']))
  })

  test('down: one session at a time probes it; when it is back all go on at once, in order', async () => {
    await hook.down()
    const gate = createGate({ log, pauses: [20], random: () => 0 })
    let down = 0
    gate.onChange(state => (down += state === 'down' ? 1 : 0))
    let attempts = 0
    const delays = [6 * 3_600_000]
    start({ gate, concurrency: 16, policy: { ...policy, delays }, onAttempt: () => attempts++ })
    for (let i = 0; i < 40; i++) await append(`s${i}`, '1', '2')
    await vi.waitFor(() => expect(gate.state()).toBe('down'))
    const when = { attempts, down }
    await vi.waitFor(() => expect(down - when.down).toBeGreaterThan(5))
    // Those under way when it closed, and the probes.
    expect(attempts - when.attempts).toBeLessThanOrEqual(down - when.down + 16)
    await hook.up()
    await settled()
    expect(gate.state()).toBe('up')
    for (let i = 0; i < 40; i++) expect(hook.texts(`s${i}`)).toEqual(['1', '2'])
  })

  test('down: it is probed although all its sessions would sleep for hours', async () => {
    await hook.down()
    const gate = createGate({ log, pauses: [20], random: () => 0 })
    start({ gate, policy: { ...policy, delays: [6 * 3_600_000] } })
    await Promise.all(numbers(12).map(async i => append(`s${i}`, '1')))
    await vi.waitFor(() => expect(gate.state()).toBe('down'))
    await hook.up()
    await settled()
    expect(hook.posts).toHaveLength(12)
  })

  test('asks for time with Retry-After and gets it', async () => {
    let failures = 1
    hook.react(() => (failures-- > 0 ? response => void response.writeHead(429, { 'retry-after': '1' }).end() : 200))
    start()
    await append('a', '1')
    const before = performance.now()
    await settled()
    expect(performance.now() - before).toBeGreaterThan(900)
    expect(hook.texts('a')).toEqual(['1', '1'])
  })

  test('410: nothing more is sent and nothing is lost; the next process sends it', async () => {
    hook.react(() => 410)
    const gate = createGate({ log })
    const first = start({ gate })
    await append('a', '1', '2')
    await vi.waitFor(() => expect(gate.state()).toBe('disabled'))
    await append('b', '1')
    expect(hook.posts).toHaveLength(1)
    await first.stop()
    hook.react(() => 200)
    start()
    await settled()
    expect(hook.texts('a')).toEqual(['1', '1', '2'])
    expect(hook.texts('b')).toEqual(['1'])
  })
})

describe('a crash', () => {
  test('loses nothing: the next owner goes on at the cursor, in order, under the same ids', async () => {
    start()
    let delivered = 0
    hook.react(() => (++delivered > 25 ? 'hang' : 200))
    await Promise.all(['a', 'b', 'c'].map(async id => append(id, ...numbers(40))))
    await vi.waitFor(() => expect(delivered).toBeGreaterThan(27))
    // The old owner is not told anything: it hangs, as a frozen process does.
    fence = await server.claim()
    hook.react(() => 200)
    start()
    await settled()
    for (const id of ['a', 'b', 'c']) {
      const texts = hook.texts(id)
      expect([...new Set(texts)]).toEqual(numbers(40))
      // Only what was on its way comes twice.
      expect(texts.length).toBeLessThanOrEqual(41)
      const posts = hook.posts.filter(post => post.sessionId === id)
      expect(new Set(posts.map(post => post.headers['webhook-id'])).size).toBe(40)
    }
  })

  test('lets the stale owner write nothing, and ends it', async () => {
    hook.react(() => response => void setTimeout(() => response.writeHead(500).end(), 100))
    const old = start()
    await append('a', '1', '2')
    await vi.waitFor(() => expect(hook.posts).toHaveLength(1))
    const oldFence = fence
    fence = await server.claim()
    await old.deliverer.replay('a', 1).then(
      () => expect.unreachable(),
      error => expect(error).toMatchObject({ name: 'FencedError' }),
    )
    await old.ended
    expect(oldFence.signal.aborted).toBe(false)
    expect(await server.redis.hgetall(keys.cursor('a'))).toEqual({ seq: '2', last: expect.any(String) as string })
    expect(hook.posts).toHaveLength(1)
  })

  test('sends nothing when the lease is over by the clock, although nobody said so', async () => {
    const frozen = { ...fence, valid: () => false }
    start({ fence: frozen })
    await append('a', '1')
    start()
    await settled()
    expect(hook.texts('a')).toEqual(['1'])
  })

  test('keeps the count of attempts and the time of the next one', async () => {
    hook.react(() => 500)
    const slow = { ...policy, delays: [5, 5, 3_600_000] }
    const first = start({ policy: slow })
    await append('a', '1')
    await vi.waitFor(async () => expect(await server.redis.hget(keys.cursor('a'), 'attempt')).toBe('3'))
    await first.stop()
    await append('a', '2')
    const score = Number(await server.redis.zscore(keys.undelivered(0), 'a'))
    expect(score - clock.now()).toBeGreaterThan(3_500_000)
    hook.react(() => 200)
    const second = start({ policy: slow })
    await append('b', '1')
    await vi.waitFor(() => expect(hook.texts('b')).toEqual(['1']))
    expect(hook.texts('a')).toHaveLength(3)
    await second.stop()
    clock.add(3_600_000)
    start({ policy: slow })
    await settled()
    expect(hook.posts.slice(-2)).toMatchObject([
      { sessionId: 'a', text: '1', attempt: 4 },
      { sessionId: 'a', text: '2', attempt: 1 },
    ])
  })

  test('of Redis loses nothing', async () => {
    start()
    hook.react(() => response => void setTimeout(() => response.writeHead(200).end(), 2))
    await append('a', ...numbers(20))
    await vi.waitFor(() => expect(hook.posts.length).toBeGreaterThan(5))
    await server.cut()
    const more = append('a', ...numbers(20, 20))
    await server.redis.script('FLUSH').catch(() => undefined)
    await server.redis.connect()
    await more
    await settled()
    expect([...new Set(hook.texts('a'))]).toEqual(numbers(40))
    expect(hook.texts('a')).toEqual(hook.texts('a').toSorted((a, b) => Number(a) - Number(b)))
  })
})

describe('an end', () => {
  test('lets the attempt under way end and begins no other', async () => {
    hook.react(() => response => void setTimeout(() => response.writeHead(200).end(), 100))
    const { stop } = start()
    await append('a', '1', '2')
    await vi.waitFor(() => expect(hook.posts).toHaveLength(1))
    await stop()
    expect(hook.posts).toHaveLength(1)
    expect(await cursor('a')).toBe(1)
  })

  test('cuts an attempt that does not end within a second', async () => {
    hook.react(() => 'hang')
    const { stop } = start()
    await append('a', '1')
    await vi.waitFor(() => expect(hook.posts).toHaveLength(1))
    const before = performance.now()
    await stop()
    expect(performance.now() - before).toBeLessThan(1500)
    expect(await server.redis.hgetall(keys.cursor('a'))).not.toHaveProperty('attempt')
  })

  test('by loss of the lease cuts at once', async () => {
    hook.react(() => 'hang')
    const { stop } = start()
    await append('a', '1')
    await vi.waitFor(() => expect(hook.posts).toHaveLength(1))
    const before = performance.now()
    fence.abort()
    await stop()
    expect(performance.now() - before).toBeLessThan(500)
  })

  test('does not wait for a Redis that is away', async () => {
    const { stop } = start()
    await server.cut()
    const appended = append('a', '1')
    await stop()
    expect(hook.posts).toEqual([])
    await server.redis.connect()
    expect(await appended).toEqual([1])
  })
})

describe('a poison event', () => {
  test('is parked after 7 days of attempts, and what follows flows', async () => {
    hook.react(post => {
      clock.add(DAY)
      return post.text === 'poison' ? 500 : 200
    })
    const { deliverer } = start()
    const before = clock.now()
    await append('a', '1', 'poison', '3')
    await settled()
    expect(hook.texts('a')).toEqual(['1', ...Array.from({ length: 7 }, () => 'poison'), '3'])
    const [event, ...others] = await deliverer.parked('a')
    expect(others).toEqual([])
    expect(event).toMatchObject({
      seq: 2,
      attempts: 7,
      reason: 'HTTP 500',
      body: JSON.stringify(message('a', 'poison')),
    })
    expect((event?.parkedAt ?? 0) - before).toBeGreaterThanOrEqual(8 * DAY)
  })

  test('is sent again when a person asks, after what waits, as a new seq with its old id', async () => {
    hook.react(post => {
      clock.add(10 * DAY)
      return post.text === 'poison' ? 500 : 200
    })
    const { deliverer } = start()
    await append('a', 'poison', '2')
    await settled()
    hook.react(() => 200)
    expect(await deliverer.redrive('a', 1)).toBe(3)
    await settled()
    expect(hook.posts.at(-1)).toMatchObject({ text: 'poison', seq: 3, attempt: 1 })
    expect(hook.posts.at(-1)?.headers['webhook-id']).toBe(hook.posts[0]?.headers['webhook-id'])
    expect(await deliverer.parked('a')).toEqual([])
    expect(await deliverer.redrive('a', 1)).toBeUndefined()
    expect(await append('a', '4')).toEqual([4])
    await settled()
  })
})

describe('replay', () => {
  test('sends from a seq on again, in order, under the old ids', async () => {
    const { deliverer } = start()
    await append('a', ...numbers(10, 1))
    await settled()
    const ids = hook.posts.map(post => post.headers['webhook-id'])
    expect(await deliverer.replay('a', 7)).toBe(4)
    await settled()
    expect(hook.texts('a')).toEqual([...numbers(10, 1), '7', '8', '9', '10'])
    expect(hook.posts.slice(10).map(post => post.headers['webhook-id'])).toEqual(ids.slice(6))
    expect(await deliverer.replay('a', 11)).toBe(0)
    expect(await deliverer.replay('nobody', 1)).toBe(0)
  })

  test('may come while a delivery is under way', async () => {
    const { deliverer } = start()
    let replayed: Promise<number> | undefined
    hook.react(post => response => {
      if (post.text === '4') replayed ??= deliverer.replay('a', 2)
      setTimeout(() => response.writeHead(200).end(), 20)
    })
    await append('a', ...numbers(5, 1))
    await settled()
    expect(await replayed).toBe(2)
    expect(hook.texts('a')).toEqual(['1', '2', '3', '4', '2', '3', '4', '5'])
  })

  test('wakes a session whose event waits for its next attempt', async () => {
    hook.react(post => (post.text === '2' ? 500 : 200))
    const { deliverer } = start({ policy: { ...policy, delays: [3_600_000] } })
    await append('a', '1', '2')
    await vi.waitFor(() => expect(hook.texts('a')).toEqual(['1', '2']))
    hook.react(() => 200)
    await vi.waitFor(async () => expect(await server.redis.hget(keys.cursor('a'), 'attempt')).toBe('1'))
    expect(await deliverer.replay('a', 1)).toBe(1)
    await settled()
    expect(hook.texts('a')).toEqual(['1', '2', '1', '2'])
  })
})

describe('retention', () => {
  test('keeps so many delivered events and no more', async () => {
    const { deliverer } = start({ retention: { count: 5, ageMs: DAY } })
    await append('a', ...numbers(20, 1))
    await settled()
    const entries = await server.redis.xrange(keys.outbox('a'), '-', '+')
    expect(entries.map(([id]) => id)).toEqual(['16-0', '17-0', '18-0', '19-0', '20-0'])
    expect(await deliverer.replay('a', 1)).toBe(5)
    await settled()
    expect(hook.texts('a').slice(20)).toEqual(['16', '17', '18', '19', '20'])
  })

  test('drops delivered events by age, also of a session that is silent', async () => {
    start({ retention: { count: 1000, ageMs: DAY } })
    await append('a', ...numbers(10, 1))
    await settled()
    expect(await server.redis.pttl(keys.outbox('a'))).toBeGreaterThan(DAY - 60_000)
    clock.add(2 * DAY)
    await append('a', ...numbers(6, 11))
    await settled()
    const entries = await server.redis.xrange(keys.outbox('a'), '-', '+')
    expect(entries.map(([id]) => id)).toEqual(['11-0', '12-0', '13-0', '14-0', '15-0', '16-0'])
    await server.redis.del(keys.outbox('a'))
    expect(await append('a', 'next')).toEqual([17])
    await settled()
    expect(hook.texts('a').at(-1)).toBe('next')
  })

  test('never drops what was not delivered, however old or many', async () => {
    const first = start({ retention: { count: 2, ageMs: 1000 }, policy: { ...policy, delays: [3_600_000] } })
    await append('a', 'before')
    await settled()
    hook.react(() => 500)
    await append('a', ...numbers(50))
    await vi.waitFor(async () => expect(await server.redis.hget(keys.cursor('a'), 'attempt')).toBe('1'))
    expect(await first.deliverer.backlog()).toEqual({ sessions: 1, count: 50, oldestAt: expect.any(Number) as number })
    clock.add(5 * DAY)
    await first.stop()
    expect(await server.redis.pttl(keys.outbox('a'))).toBe(-1)
    hook.react(() => 200)
    start({ retention: { count: 2, ageMs: 1000 } })
    await settled()
    expect(hook.texts('a')).toEqual(['before', '0', ...numbers(50)])
  })

  test('never drops what is to be sent again', async () => {
    hook.react(post => {
      clock.add(10 * DAY)
      return post.text === 'poison' ? 500 : 200
    })
    const { deliverer, stop } = start()
    await append('a', 'poison', '2')
    await settled()
    await stop()
    expect(await server.redis.pttl(keys.outbox('a'))).toBeGreaterThan(0)
    expect(await deliverer.redrive('a', 1)).toBe(3)
    expect(await server.redis.pttl(keys.outbox('a'))).toBe(-1)
    await server.redis.hset(keys.cursor('a'), 'cursor', '3')
    await server.redis.pexpire(keys.outbox('a'), DAY)
    expect(await deliverer.replay('a', 2)).toBe(2)
    expect(await server.redis.pttl(keys.outbox('a'))).toBe(-1)
  })

  test('goes on over events that someone removed from Redis', async () => {
    await append('a', '1', '2')
    await server.redis.del(keys.outbox('a'))
    const { deliverer } = start()
    await settled()
    await append('a', '3')
    await settled()
    expect(hook.posts.map(post => [post.text, post.seq])).toEqual([['3', 3]])
    expect(await deliverer.backlog()).toEqual({ sessions: 0, count: 0, oldestAt: undefined })
  })
})

describe('deletion', () => {
  test('delivers what waits, then leaves no key', async () => {
    hook.react(() => 500)
    start()
    await append('a', '1', '2', '3')
    await outbox.deleteAfterDelivery(fence, 'a')
    await vi.waitFor(() => expect(hook.posts.length).toBeGreaterThan(2))
    hook.react(() => 200)
    await settled()
    expect(new Set(hook.texts('a'))).toEqual(new Set(['1', '2', '3']))
    expect(await server.redis.keys('*')).toEqual([keys.lease(0)])
  })

  test('leaves no key when the last event is parked', async () => {
    hook.react(() => {
      clock.add(10 * DAY)
      return 500
    })
    start()
    await append('a', '1')
    await outbox.deleteAfterDelivery(fence, 'a')
    await settled()
    expect(await server.redis.keys('*')).toEqual([keys.lease(0)])
  })

  test('never gives an old id to the events of a session that is made again', async () => {
    start()
    await append('a', '1', '2')
    await settled()
    await outbox.deleteAfterDelivery(fence, 'a')
    await append('a', '1', '2')
    await settled()
    expect(hook.posts.map(post => post.seq)).toEqual([1, 2, 1, 2])
    expect(new Set(hook.posts.map(post => post.headers['webhook-id'])).size).toBe(4)
  })
})

test('a session whose keys are broken does not stop the others', async () => {
  await append('a', '1')
  await server.redis.set(keys.outbox('broken'), 'not a stream')
  await server.redis.zadd(keys.undelivered(0), '0', 'broken')
  start()
  await append('b', '1')
  await vi.waitFor(() => expect(hook.posts).toHaveLength(2))
})
