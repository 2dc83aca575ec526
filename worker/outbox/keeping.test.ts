import { describe, expect, test, vi } from 'vitest'
import { startRedis } from '../../dev/redis/start.ts'
import { keys } from '../../shared/keys.ts'
import { DAY, deliveryRig, eventually, numbers, policy } from '../../dev/testing/deliveries.ts'
import { message } from '../../dev/testing/outbox.ts'

const rig = deliveryRig(startRedis)

describe('a poison event', () => {
  test('is parked after 7 days of attempts, and what follows flows', async () => {
    rig.hook.react(post => {
      rig.clock.add(DAY)
      return post.text === 'poison' ? 500 : 200
    })
    const onParked = vi.fn<() => void>()
    const { deliverer } = rig.start({ onParked })
    const before = rig.clock.now()
    await rig.append('a', '1', 'poison', '3')
    await rig.settled()
    expect(rig.hook.texts('a')).toEqual(['1', ...Array.from({ length: 7 }, () => 'poison'), '3'])
    const [event, ...others] = await deliverer.parked('a')
    expect(others).toEqual([])
    expect(onParked).toHaveBeenCalledOnce()
    expect(event).toMatchObject({
      seq: 2,
      attempts: 7,
      reason: 'HTTP 500',
      body: JSON.stringify(message('a', 'poison')),
    })
    expect((event?.parkedAt ?? 0) - before).toBeGreaterThanOrEqual(8 * DAY)
  })

  test('is sent again when a person asks, after what waits, as a new seq with its old id', async () => {
    rig.hook.react(post => {
      rig.clock.add(10 * DAY)
      return post.text === 'poison' ? 500 : 200
    })
    const { deliverer } = rig.start()
    await rig.append('a', 'poison', '2')
    await rig.settled()
    rig.hook.react(() => 200)
    expect(await deliverer.redrive('a', 1)).toBe(3)
    await rig.settled()
    expect(rig.hook.posts.at(-1)).toMatchObject({ text: 'poison', seq: 3, attempt: 1 })
    expect(rig.hook.posts.at(-1)?.headers['webhook-id']).toBe(rig.hook.posts[0]?.headers['webhook-id'])
    expect(await deliverer.parked('a')).toEqual([])
    expect(await deliverer.redrive('a', 2)).toBeUndefined()
    expect(await deliverer.redrive('a', 1)).toBe(3)
    expect(await rig.append('a', '4')).toEqual([4])
    await rig.settled()
    expect(rig.hook.texts('a')).toEqual(['poison', '2', 'poison', '4'])
  })
})

describe('replay', () => {
  test('sends from a seq on again, in order, under the old ids', async () => {
    const { deliverer } = rig.start()
    await rig.append('a', ...numbers(10, 1))
    await rig.settled()
    const ids = rig.hook.posts.map(post => post.headers['webhook-id'])
    expect(await deliverer.replay('a', 7)).toBe(4)
    await rig.settled()
    expect(rig.hook.texts('a')).toEqual([...numbers(10, 1), '7', '8', '9', '10'])
    expect(rig.hook.posts.slice(10).map(post => post.headers['webhook-id'])).toEqual(ids.slice(6))
    expect(await deliverer.replay('a', 11)).toBe(0)
    expect(await deliverer.replay('nobody', 1)).toBeUndefined()
    expect(await rig.server.redis.exists(keys.cursor('nobody'))).toBe(0)
  })

  test('may come while a delivery is under way', async () => {
    const { deliverer } = rig.start()
    let replayed: Promise<number | undefined> | undefined
    rig.hook.react(post => response => {
      if (post.text === '4') replayed ??= deliverer.replay('a', 2)
      setTimeout(() => response.writeHead(200).end(), 20)
    })
    await rig.append('a', ...numbers(5, 1))
    await rig.settled()
    expect(await replayed).toBe(2)
    expect(rig.hook.texts('a')).toEqual(['1', '2', '3', '4', '2', '3', '4', '5'])
  })

  test('wakes a session whose event waits for its next attempt', async () => {
    rig.hook.react(post => (post.text === '2' ? 500 : 200))
    const { deliverer } = rig.start({ policy: { ...policy, delays: [3_600_000] } })
    await rig.append('a', '1', '2')
    await eventually(() => expect(rig.hook.texts('a')).toEqual(['1', '2']))
    rig.hook.react(() => 200)
    await eventually(async () => expect(await rig.field('a', 'attempt')).toBe('1'))
    expect(await deliverer.replay('a', 1)).toBe(1)
    await rig.settled()
    expect(rig.hook.texts('a')).toEqual(['1', '2', '1', '2'])
  })
})

describe('retention', () => {
  test('keeps so many delivered events and no more', async () => {
    const { deliverer } = rig.start({ retention: { count: 5, ageMs: DAY, bytes: Infinity } })
    await rig.append('a', ...numbers(20, 1))
    await rig.settled()
    const entries = await rig.server.redis.xrange(keys.outbox('a'), '-', '+')
    expect(entries.map(([id]) => id)).toEqual(['16-0', '17-0', '18-0', '19-0', '20-0'])
    expect(await deliverer.replay('a', 1)).toBe(5)
    await rig.settled()
    expect(rig.hook.texts('a').slice(20)).toEqual(['16', '17', '18', '19', '20'])
  })

  test('drops delivered events by age, also of a session that is silent', async () => {
    rig.start({ retention: { count: 1000, ageMs: DAY, bytes: Infinity } })
    await rig.append('a', ...numbers(10, 1))
    await rig.settled()
    expect(await rig.server.redis.pttl(keys.outbox('a'))).toBeGreaterThan(DAY - 60_000)
    rig.clock.add(2 * DAY)
    await rig.append('a', ...numbers(6, 11))
    await rig.settled()
    const entries = await rig.server.redis.xrange(keys.outbox('a'), '-', '+')
    expect(entries.map(([id]) => id)).toEqual(['11-0', '12-0', '13-0', '14-0', '15-0', '16-0'])
    await rig.server.redis.del(keys.outbox('a'))
    expect(await rig.append('a', 'next')).toEqual([17])
    await rig.settled()
    expect(rig.hook.texts('a').at(-1)).toBe('next')
  })

  test('never drops what was not delivered, however old or many', async () => {
    const first = rig.start({
      retention: { count: 2, ageMs: 1000, bytes: Infinity },
      policy: { ...policy, delays: [3_600_000] },
    })
    await rig.append('a', 'before')
    await rig.settled()
    rig.hook.react(() => 500)
    await rig.append('a', ...numbers(50))
    await eventually(async () => expect(await rig.field('a', 'attempt')).toBe('1'))
    expect(await first.deliverer.backlog()).toMatchObject({ sessions: 1, count: 50 })
    rig.clock.add(5 * DAY)
    await first.stop()
    expect(await rig.server.redis.pttl(keys.outbox('a'))).toBe(-1)
    rig.hook.react(() => 200)
    rig.start({ retention: { count: 2, ageMs: 1000, bytes: Infinity } })
    await rig.settled()
    expect(rig.hook.texts('a')).toEqual(['before', '0', ...numbers(50)])
  })

  test('never drops what is to be sent again', async () => {
    rig.hook.react(post => {
      rig.clock.add(10 * DAY)
      return post.text === 'poison' ? 500 : 200
    })
    const { deliverer, stop } = rig.start()
    await rig.append('a', 'poison', '2')
    await rig.settled()
    await stop()
    expect(await rig.server.redis.pttl(keys.outbox('a'))).toBeGreaterThan(0)
    expect(await deliverer.redrive('a', 1)).toBe(3)
    expect(await rig.server.redis.pttl(keys.outbox('a'))).toBe(-1)
    await rig.server.redis.hset(keys.cursor('a'), 'cursor', '3')
    await rig.server.redis.pexpire(keys.outbox('a'), DAY)
    expect(await deliverer.replay('a', 2)).toBe(2)
    expect(await rig.server.redis.pttl(keys.outbox('a'))).toBe(-1)
  })

  test('goes on over events that someone removed from Redis', async () => {
    await rig.append('a', '1', '2')
    await rig.server.redis.del(keys.outbox('a'))
    const { deliverer } = rig.start()
    await rig.settled()
    await rig.append('a', '3')
    await rig.settled()
    expect(rig.hook.posts.map(post => [post.text, post.seq])).toEqual([['3', 3]])
    expect(await deliverer.backlog()).toEqual({ sessions: 0, count: 0, bytes: 0, oldestAt: undefined })
  })
})

describe('deletion', () => {
  test('delivers what waits, then leaves no key', async () => {
    rig.hook.react(() => 500)
    rig.start()
    await rig.append('a', '1', '2', '3')
    await rig.outbox.deleteAfterDelivery(rig.fence, 'a')
    await eventually(() => expect(rig.hook.posts.length).toBeGreaterThan(2))
    rig.hook.react(() => 200)
    await rig.settled()
    expect(new Set(rig.hook.texts('a'))).toEqual(new Set(['1', '2', '3']))
    expect(await rig.server.redis.keys('*')).toEqual([keys.lease(0)])
  })

  test('leaves no key when the last event is parked', async () => {
    rig.hook.react(() => {
      rig.clock.add(10 * DAY)
      return 500
    })
    rig.start()
    await rig.append('a', '1')
    await rig.outbox.deleteAfterDelivery(rig.fence, 'a')
    await rig.settled()
    expect(await rig.server.redis.keys('*')).toEqual([keys.lease(0)])
  })

  test('never gives an old id to the events of a session that is made again', async () => {
    rig.start()
    await rig.append('a', '1', '2')
    await rig.settled()
    await rig.outbox.deleteAfterDelivery(rig.fence, 'a')
    await rig.append('a', '1', '2')
    await rig.settled()
    expect(rig.hook.posts.map(post => post.seq)).toEqual([1, 2, 1, 2])
    expect(new Set(rig.hook.posts.map(post => post.headers['webhook-id'])).size).toBe(4)
  })
})
