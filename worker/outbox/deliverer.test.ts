import { describe, expect, test } from 'vitest'
import { startRedis } from '../../dev/redis/start.ts'
import { verify } from '../../shared/signature.ts'
import { createGate } from './gate.ts'
import { deliveryRig, eventually, numbers, policy } from '../../dev/testing/deliveries.ts'
import { log, message } from '../../dev/testing/outbox.ts'

const rig = deliveryRig(startRedis)

describe('delivery', () => {
  test('sends what is appended, in order, signed, exactly as it was stored', async () => {
    rig.start()
    await rig.append('a', ...numbers(50))
    await rig.append('b', 'x')
    await rig.settled()
    expect(rig.hook.texts('a')).toEqual(numbers(50))
    expect(rig.hook.posts.filter(post => post.sessionId === 'a').map(post => post.seq)).toEqual(
      numbers(50, 1).map(Number),
    )
    for (const post of rig.hook.posts) {
      expect(post.body).toBe(JSON.stringify(message(post.sessionId, post.text)))
      expect((await verify(rig.secrets, post.headers, post.body)).id).toBe(post.headers['webhook-id'])
      expect(post.attempt).toBe(1)
    }
  })

  test('sends what was appended before it began', async () => {
    await rig.append('a', ...numbers(20))
    rig.start()
    await rig.settled()
    expect(rig.hook.texts('a')).toEqual(numbers(20))
  })

  test('has one delivery in flight a session, and as many as allowed over sessions', async () => {
    rig.hook.react(() => response => void setTimeout(() => response.writeHead(200).end(), 5))
    rig.start({ concurrency: 4 })
    for (let i = 0; i < 10; i++) await rig.append(`s${i}`, ...numbers(5))
    await rig.settled()
    expect(rig.hook.mostOpen()).toBe(4)
    for (let i = 0; i < 10; i++) expect(rig.hook.texts(`s${i}`)).toEqual(numbers(5))
  })

  test('asks Redis nothing while there is nothing to deliver', async () => {
    rig.start()
    await rig.append('a', '1', '2')
    await rig.settled()
    const calls = async () => Number(/total_commands_processed:(\d+)/.exec(await rig.server.redis.info('stats'))?.[1])
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
      rig.hook.react(() => (failures-- > 0 ? reaction : 200))
      rig.start()
      await rig.append('a', ...numbers(10))
      await rig.settled()
      expect(rig.hook.texts('a')).toEqual(['0', '0', '0', ...numbers(10)])
      const first = rig.hook.posts.slice(0, 4)
      expect(new Set(first.map(post => post.headers['webhook-id'])).size).toBe(1)
      expect(first.map(post => post.attempt)).toEqual([1, 2, 3, 4])
      expect(new Set(rig.hook.posts.map(post => post.headers['webhook-id'])).size).toBe(10)
    },
  )

  test('for one session, down or slow, does not delay the others', async () => {
    rig.hook.react(post => (post.sessionId === 'bad' ? 500 : post.sessionId === 'slow' ? 'hang' : 200))
    rig.start({ concurrency: 2 })
    await rig.append('bad', ...numbers(3))
    await rig.append('slow', ...numbers(3))
    await rig.append('good', ...numbers(30))
    await eventually(() => expect(rig.hook.texts('good')).toEqual(numbers(30)))
    expect(rig.hook.texts('slow')).toEqual(['0'])
    expect(new Set(rig.hook.texts('bad'))).toEqual(new Set(['0']))
  })

  test('down: one session at a time probes it; when it is back all go on at once, in order', async () => {
    await rig.hook.down()
    const gate = createGate({ log, pauses: [20], random: () => 0 })
    let down = 0
    gate.onChange(state => (down += state === 'down' ? 1 : 0))
    let attempts = 0
    const delays = [6 * 3_600_000]
    rig.start({ gate, concurrency: 16, policy: { ...policy, delays }, onAttempt: () => attempts++ })
    for (let i = 0; i < 40; i++) await rig.append(`s${i}`, '1', '2')
    await eventually(() => expect(gate.state()).toBe('down'))
    const when = { attempts, down }
    await eventually(() => expect(down - when.down).toBeGreaterThan(5))
    // Those under way when it closed, and the probes.
    expect(attempts - when.attempts).toBeLessThanOrEqual(down - when.down + 16)
    await rig.hook.up()
    await rig.settled()
    expect(gate.state()).toBe('up')
    for (let i = 0; i < 40; i++) expect(rig.hook.texts(`s${i}`)).toEqual(['1', '2'])
  })

  test('down: it is probed although all its sessions would sleep for hours', async () => {
    await rig.hook.down()
    const gate = createGate({ log, pauses: [20], random: () => 0 })
    rig.start({ gate, policy: { ...policy, delays: [6 * 3_600_000] } })
    await Promise.all(numbers(12).map(async i => rig.append(`s${i}`, '1')))
    await eventually(() => expect(gate.state()).toBe('down'))
    await rig.hook.up()
    await rig.settled()
    expect(rig.hook.posts).toHaveLength(12)
  })

  test('asks for time with Retry-After and gets it', async () => {
    let failures = 1
    rig.hook.react(() =>
      failures-- > 0 ? response => void response.writeHead(429, { 'retry-after': '1' }).end() : 200,
    )
    rig.start()
    await rig.append('a', '1')
    const before = performance.now()
    await rig.settled()
    expect(performance.now() - before).toBeGreaterThan(900)
    expect(rig.hook.texts('a')).toEqual(['1', '1'])
  })

  test('410: nothing more is sent and nothing is lost; the next process sends it', async () => {
    rig.hook.react(() => 410)
    const gate = createGate({ log })
    const first = rig.start({ gate })
    await rig.append('a', '1', '2')
    await eventually(() => expect(gate.state()).toBe('disabled'))
    await rig.append('b', '1')
    expect(rig.hook.posts).toHaveLength(1)
    await first.stop()
    rig.hook.react(() => 200)
    rig.start()
    await rig.settled()
    expect(rig.hook.texts('a')).toEqual(['1', '1', '2'])
    expect(rig.hook.texts('b')).toEqual(['1'])
  })
})
