import { Redis } from 'ioredis'
import { describe, expect, test, vi } from 'vitest'
import { limitReplies } from '../../dev/redis/limit-replies.ts'
import { startRedis } from '../../dev/redis/start.ts'
import { keys } from '../../shared/keys.ts'
import { deliveryRig, eventually, numbers, policy } from '../../dev/testing/deliveries.ts'

const rig = deliveryRig(startRedis)

describe('a crash', () => {
  test('loses nothing: the next owner goes on at the cursor, in order, under the same ids', async () => {
    rig.start()
    let delivered = 0
    rig.hook.react(() => (++delivered > 25 ? 'hang' : 200))
    await Promise.all(['a', 'b', 'c'].map(async id => rig.append(id, ...numbers(40))))
    await eventually(() => expect(delivered).toBeGreaterThan(27))
    // The old owner is not told anything: it hangs, as a frozen process does.
    rig.fence = await rig.server.claim()
    rig.hook.react(() => 200)
    rig.start()
    await rig.settled()
    for (const id of ['a', 'b', 'c']) {
      const texts = rig.hook.texts(id)
      expect([...new Set(texts)]).toEqual(numbers(40))
      // Only what was on its way comes twice.
      expect(texts.length).toBeLessThanOrEqual(41)
      const posts = rig.hook.posts.filter(post => post.sessionId === id)
      expect(new Set(posts.map(post => post.headers['webhook-id'])).size).toBe(40)
    }
  })

  test('lets the stale owner write nothing, and ends it', async () => {
    rig.hook.react(() => response => void setTimeout(() => response.writeHead(500).end(), 100))
    const old = rig.start()
    await rig.append('a', '1', '2')
    await eventually(() => expect(rig.hook.posts).toHaveLength(1))
    const oldFence = rig.fence
    rig.fence = await rig.server.claim()
    await old.deliverer.replay('a', 1).then(
      () => expect.unreachable(),
      error => expect(error).toMatchObject({ name: 'FencedError' }),
    )
    await old.ended
    expect(oldFence.signal.aborted).toBe(false)
    expect(await rig.server.redis.hgetall(keys.cursor('a'))).toEqual({
      seq: '2',
      stored: expect.any(String) as string,
      last: expect.any(String) as string,
    })
    expect(rig.hook.posts).toHaveLength(1)
  })

  test('sends nothing while the lease is over by the clock, although nobody said so', async () => {
    const valid = vi.fn<() => boolean>(() => false)
    rig.start({ fence: { ...rig.fence, valid } })
    await rig.append('a', '1')
    await eventually(() => expect(valid.mock.calls.length).toBeGreaterThan(2))
    expect(rig.hook.posts).toEqual([])
    // The renewal was only late.
    valid.mockReturnValue(true)
    await rig.settled()
    expect(rig.hook.texts('a')).toEqual(['1'])
  })

  test('keeps the count of attempts and the time of the next one', async () => {
    rig.hook.react(() => 500)
    const slow = { ...policy, delays: [5, 5, 3_600_000] }
    const first = rig.start({ policy: slow })
    await rig.append('a', '1')
    await eventually(async () => expect(await rig.field('a', 'attempt')).toBe('3'))
    await first.stop()
    await rig.append('a', '2')
    const score = Number(await rig.server.redis.zscore(keys.undelivered(0), 'a'))
    expect(score - rig.clock.now()).toBeGreaterThan(3_500_000)
    rig.hook.react(() => 200)
    const second = rig.start({ policy: slow })
    await rig.append('b', '1')
    await eventually(() => expect(rig.hook.texts('b')).toEqual(['1']))
    expect(rig.hook.texts('a')).toHaveLength(3)
    await second.stop()
    rig.clock.add(3_600_000)
    rig.start({ policy: slow })
    await rig.settled()
    expect(rig.hook.posts.slice(-2)).toMatchObject([
      { sessionId: 'a', text: '1', attempt: 4 },
      { sessionId: 'a', text: '2', attempt: 1 },
    ])
  })

  test('of Redis loses nothing', async () => {
    rig.start()
    rig.hook.react(() => response => void setTimeout(() => response.writeHead(200).end(), 2))
    await rig.append('a', ...numbers(20))
    await eventually(() => expect(rig.hook.posts.length).toBeGreaterThan(5))
    await rig.server.cut()
    const more = rig.append('a', ...numbers(20, 20))
    await rig.server.redis.script('FLUSH').catch(() => undefined)
    await rig.server.redis.connect()
    await more
    await rig.settled()
    expect([...new Set(rig.hook.texts('a'))]).toEqual(numbers(40))
    expect(rig.hook.texts('a')).toEqual(rig.hook.texts('a').toSorted((a, b) => Number(a) - Number(b)))
  })
})

describe('an end', () => {
  test('lets the attempt under way end and begins no other', async () => {
    rig.hook.react(() => response => void setTimeout(() => response.writeHead(200).end(), 100))
    const { stop } = rig.start()
    await rig.append('a', '1', '2')
    await eventually(() => expect(rig.hook.posts).toHaveLength(1))
    await stop()
    expect(rig.hook.posts).toHaveLength(1)
    expect(await rig.field('a', 'cursor')).toBe('1')
  })

  test('cuts an attempt that does not end within half a second', async () => {
    rig.hook.react(() => 'hang')
    const { stop } = rig.start()
    await rig.append('a', '1')
    await eventually(() => expect(rig.hook.posts).toHaveLength(1))
    const before = performance.now()
    await stop()
    expect(performance.now() - before).toBeLessThan(10_000)
    expect(await rig.server.redis.hgetall(keys.cursor('a'))).not.toHaveProperty('attempt')
  })

  test('by loss of the lease cuts at once', async () => {
    rig.hook.react(() => 'hang')
    const { stop } = rig.start()
    await rig.append('a', '1')
    await eventually(() => expect(rig.hook.posts).toHaveLength(1))
    let late = false
    const timer = setTimeout(() => (late = true), 400)
    rig.fence.abort()
    await stop()
    clearTimeout(timer)
    expect(late).toBe(false)
  })

  test('does not wait for a Redis that is away', async () => {
    const { stop } = rig.start()
    await rig.server.cut()
    const appended = rig.append('a', '1')
    await stop()
    expect(rig.hook.posts).toEqual([])
    await rig.server.redis.connect()
    expect(await appended).toEqual([1])
  })
})

test('a session whose keys are broken does not stop the others', async () => {
  await rig.append('a', '1')
  await rig.server.redis.set(keys.outbox('broken'), 'not a stream')
  await rig.server.redis.zadd(keys.undelivered(0), '0', 'broken')
  rig.start()
  await rig.append('b', '1')
  await eventually(() => expect(rig.hook.posts).toHaveLength(2))
})

test('large events leave in order from a Redis whose provider refuses replies above 10 MiB', async () => {
  const texts = Array.from({ length: 12 }, (_, n) => `${n} ${'x'.repeat(2 * 1024 * 1024)}`)
  await rig.append('a', ...texts)
  const limited = await limitReplies(rig.server.url)
  const redis = new Redis(limited.url, { protocol: 2, maxRetriesPerRequest: null })
  try {
    const { stop } = rig.start({ redis })
    await rig.settled()
    await stop()
    expect(rig.hook.texts('a').map(text => text.slice(0, 3))).toEqual(texts.map(text => text.slice(0, 3)))
    expect(limited.refused).toBe(0)
  } finally {
    redis.disconnect()
    await limited.close()
  }
})

describe('a full Redis', () => {
  test('is emptied by delivering: events that were refused, put back or wait all leave', async () => {
    await rig.append('a', ...numbers(20))
    await rig.append('b', ...numbers(20))
    await rig.server.redis.config('SET', 'maxmemory', '1')
    try {
      let posts = 0
      rig.hook.react(() => (++posts % 5 === 0 ? 500 : 204))
      const { deliverer } = rig.start()
      await rig.settled()
      expect(await deliverer.replay('a', 15)).toBe(6)
      await rig.settled()
      const waits = rig.append('a', 'later')
      await rig.server.redis.config('SET', 'maxmemory', '0')
      await waits
      await rig.settled()
    } finally {
      await rig.server.redis.config('SET', 'maxmemory', '0')
    }
    expect([...new Set(rig.hook.texts('a'))]).toEqual([...numbers(20), 'later'])
    expect([...new Set(rig.hook.texts('b'))]).toEqual(numbers(20))
  })
})
