import { setImmediate as settled } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { startRedis } from '../../dev/redis/start.ts'
import { keys } from '../../shared/keys.ts'
import type { Fence } from '../ownership/fence.ts'
import { createBudget } from './budget.ts'
import { DAY, deliveryRig, eventually, policy } from '../../dev/testing/deliveries.ts'
import { message } from '../../dev/testing/outbox.ts'

const never = new AbortController().signal

function lease(epoch = 1, partition = 0) {
  const lost = new AbortController()
  const fence: Fence = { partition, epoch, token: `worker:${epoch}`, valid: () => true, signal: lost.signal }
  return { fence, lose: () => lost.abort() }
}

async function isOver(work: Promise<unknown>): Promise<boolean> {
  let over = false
  void work.then(() => (over = true))
  await settled()
  return over
}

describe('the budget of what awaits delivery', () => {
  test('stops one session at its own, and has room again at half of it', async () => {
    const { fence } = lease()
    const budget = createBudget({ session: 100, partition: 1000 })
    budget.told(fence, 'a', 99)
    expect(budget.isFull(fence, 'a')).toBe(false)
    budget.told(fence, 'a', 100)
    expect([budget.isFull(fence, 'a'), budget.isFull(fence, 'b')]).toEqual([true, false])
    const room = budget.room(fence, 'a', never)
    budget.told(fence, 'a', 50)
    expect(await isOver(room)).toBe(false)
    budget.told(fence, 'a', 49)
    expect(await isOver(room)).toBe(true)
  })

  test('stops all sessions of a partition together, and no other partition', async () => {
    const [mine, other] = [lease().fence, lease(1, 1).fence]
    const budget = createBudget({ session: 100, partition: 150 })
    budget.told(mine, 'a', 90)
    budget.told(mine, 'b', 60)
    expect([budget.isFull(mine, 'c'), budget.isFull(other, 'd')]).toEqual([true, false])
    const room = budget.room(mine, 'c', never)
    budget.told(mine, 'a', 15)
    expect(await isOver(room)).toBe(false)
    budget.told(mine, 'b', 0)
    expect(await isOver(room)).toBe(true)
    expect(budget.bytes(mine)).toBe(15)
  })

  test('lets go of who gives up, and forgets a lease that is lost', async () => {
    const { fence, lose } = lease()
    const budget = createBudget({ session: 100, partition: 1000 })
    budget.told(fence, 'a', 200)
    const stopped = new AbortController()
    const [given, left] = [budget.room(fence, 'a', stopped.signal), budget.room(fence, 'a', never)]
    stopped.abort()
    expect([await isOver(given), await isOver(left)]).toEqual([true, false])
    lose()
    expect(await isOver(left)).toBe(true)
    budget.told(fence, 'a', 300)
    expect([budget.bytes(fence), budget.bytes(lease(2).fence)]).toEqual([0, 0])
  })
})

const rig = deliveryRig(startRedis)

describe('the bytes that await delivery', () => {
  const size = (text: string) => Buffer.byteLength(JSON.stringify(message('a', text)))
  const sizes = (...texts: string[]) => texts.reduce((sum, text) => sum + size(text), 0)

  test('follow what is appended, delivered, replayed and driven again, in their order', async () => {
    rig.hook.react(() => 500)
    await rig.append('a', 'one', 'é and more', 'three')
    expect(rig.budget.bytes(rig.fence)).toBe(sizes('one', 'é and more', 'three'))
    const { deliverer } = rig.start()
    expect(await deliverer.backlog()).toMatchObject({ bytes: sizes('one', 'é and more', 'three') })
    rig.hook.react(() => 200)
    await eventually(() => expect(rig.budget.bytes(rig.fence)).toBe(0))
    rig.hook.react(() => 500)
    expect(await deliverer.replay('a', 2)).toBe(2)
    expect(rig.budget.bytes(rig.fence)).toBe(sizes('é and more', 'three'))
    rig.hook.react(() => 200)
    await eventually(() => expect(rig.budget.bytes(rig.fence)).toBe(0))
  })

  test('do not count what was given up, until it is driven again', async () => {
    rig.hook.react(({ text }) => {
      rig.clock.add(10 * DAY)
      return text === 'poison' ? 500 : 200
    })
    const { deliverer } = rig.start()
    await rig.append('a', 'poison', 'two')
    await eventually(() => expect(rig.budget.bytes(rig.fence)).toBe(0))
    rig.hook.react(() => 200)
    await deliverer.redrive('a', 1)
    await rig.settled()
    await eventually(() => expect(rig.budget.bytes(rig.fence)).toBe(0))
    expect(await rig.field('a', 'stored')).toBe(await rig.field('a', 'settled'))
  })

  test('are known to the next owner before it has delivered anything', async () => {
    rig.hook.react(() => 500)
    await rig.append('a', 'one', 'two')
    rig.fence.abort()
    rig.fence = await rig.server.claim()
    expect(rig.budget.bytes(rig.fence)).toBe(0)
    rig.start({ policy: { ...policy, delays: [DAY] } })
    await eventually(() => expect(rig.budget.bytes(rig.fence)).toBe(sizes('one', 'two')))
  })

  test('that an earlier version stored count as nothing, and are delivered', async () => {
    const { redis } = rig.server
    const body = JSON.stringify(message('a', 'old'))
    await redis.xadd(keys.outbox('a'), '1-0', 'id', 'evt_old', 'at', String(rig.clock.now()), 'body', body)
    await redis.hset(keys.cursor('a'), { seq: '1', last: 'evt_old' })
    await redis.zadd(keys.undelivered(0), 0, 'a')
    await rig.append('a', 'new')
    expect(rig.budget.bytes(rig.fence)).toBe(size('new'))
    rig.start()
    await rig.settled()
    expect(rig.hook.texts('a')).toEqual(['old', 'new'])
    expect(rig.budget.bytes(rig.fence)).toBe(0)
  })

  test('of delivered events are bounded, too', async () => {
    const bytes = 20 * size('00')
    rig.start({ retention: { count: 1000, ageMs: DAY, bytes } })
    await rig.append('a', ...Array.from({ length: 64 }, (_, n) => String(n).padStart(2, '0')))
    await rig.settled()
    const kept = await rig.server.redis.xlen(keys.outbox('a'))
    expect(kept).toBeGreaterThanOrEqual(20)
    expect(kept).toBeLessThan(30)
  })
})
