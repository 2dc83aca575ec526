import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import pino from 'pino'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startRedisProxy } from '../../dev/redis/proxy.ts'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { freePort } from '../../dev/stack/ports.ts'
import { until } from '../../dev/stack/until.ts'
import { keys } from '../../shared/keys.ts'
import { connectRedis } from '../redis/connection.ts'
import { FencedError, fencedScript } from '../redis/fenced.ts'
import type { Fence } from './fence.ts'
import { createGeneration } from './generation.ts'
import type { Parting } from './holding.ts'
import { RELEASED } from './leases.ts'
import { createOwner } from './owner.ts'
import { agreeOnPartitions, PartitionsMismatch } from './partitions.ts'

const log = pino({ level: 'silent' })
const TIMING = { ttlMs: 3000, listedMs: 1500, beatMs: 200, marginMs: 1000, retryMs: 50 }
/** For tests in which nothing is to expire, and nobody to look by himself. */
const SLOW = { ttlMs: 60_000, listedMs: 40_000, beatMs: 10_000, marginMs: 200, retryMs: 50 }
const WRITE = fencedScript(`return redis.call('SET', KEYS[1], ARGV[1])`)

let server: RunningRedis
let redis: Redis
const workers: { stop(): Promise<void> }[] = []

beforeAll(async () => {
  server = await startRedis()
  redis = new Redis(server.url, { protocol: 2 })
})
afterAll(async () => {
  redis.disconnect()
  await server.close()
})
beforeEach(async () => void (await redis.flushall()))
afterEach(async () => {
  await Promise.all(workers.splice(0).map(worker => worker.stop()))
})

/** A worker of this process. `skew` moves its monotonic clock, as a freeze would; a `late` one begins when it is connected. */
function startWorker(
  workerId: string,
  partitions: number,
  {
    close = async () => undefined,
    settled = () => true,
    timing = TIMING,
    url = server.url,
    late = false,
  }: {
    close?: (partition: number) => Promise<unknown>
    settled?: (partition: number) => boolean
    timing?: typeof TIMING
    url?: string
    late?: boolean
  } = {},
) {
  const connections = [connectRedis(url, 'fail', log), connectRedis(url, 'wait', log)] as const
  const stopping = new AbortController()
  const opened: Fence[] = []
  const closed: { fence: Fence; parting: Parting; at: number }[] = []
  const generation = createGeneration(new Registry())
  let skew = 0
  const owner = createOwner({
    log,
    clock: { now: Date.now, monotonic: () => performance.now() + skew },
    redis: connections[0],
    subscriber: connections[1],
    workerId,
    partitions,
    timing,
    generation,
    start: async fence => {
      opened.push(fence)
      return {
        settled: () => settled(fence.partition),
        close: async parting => {
          await close(fence.partition)
          closed.push({ fence, parting, at: performance.now() })
        },
      }
    },
  })
  const connected = async () => until('connections', () => connections.every(({ status }) => status === 'ready'))
  const running = late ? connected().then(async () => owner.run(stopping.signal)) : owner.run(stopping.signal)
  const worker = {
    owner,
    opened,
    closed,
    generation,
    owned: () =>
      owner
        .owned()
        .map(fence => fence.partition)
        .sort((a, b) => a - b),
    freeze: (ms: number) => void (skew += ms),
    cut: () => connections.forEach(connection => connection.disconnect()),
    stop: async () => {
      stopping.abort()
      await running
      connections.forEach(connection => connection.disconnect())
    },
  }
  workers.push(worker)
  return worker
}

describe('owner', () => {
  it('spreads eight partitions over workers that come and go', async () => {
    const a = startWorker('a', 8)
    await until('a owns all', async () => a.owned().length === 8)
    const b = startWorker('b', 8)
    const c = startWorker('c', 8)
    const spread = () => [a, b, c].map(worker => worker.owned().length).sort((x, y) => x - y)
    await until('three shares', async () => spread().join() === '2,3,3')
    expect([...a.owned(), ...b.owned(), ...c.owned()].sort((x, y) => x - y)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    const before = b.owned()
    await c.stop()
    await until('two shares', async () => a.owned().length === 4 && b.owned().length === 4)
    expect(b.owned()).toEqual(expect.arrayContaining(before))
  })

  it('moves partitions to one that joins one by one, the last that came first, and none before its sessions are back', async () => {
    const back = new Set([0, 1, 2, 3, 4])
    const closing: number[][] = []
    const a = startWorker('a', 6, {
      settled: partition => back.has(partition),
      close: async partition => {
        closing.push([partition, a.owned().length])
        await sleep(50)
      },
    })
    await until('a owns all', async () => a.owned().length === 6)
    const claimed = a.opened.map(fence => fence.partition)
    const b = startWorker('b', 6)
    await until('b is listed', async () => (await redis.zcard(keys.workers)) === 2)
    for (let beats = 0; beats < 3; beats++) {
      const listed = await redis.zscore(keys.workers, 'a')
      await until('a beat of a', async () => (await redis.zscore(keys.workers, 'a')) !== listed)
    }
    expect(closing).toEqual([])
    back.add(5)
    await until('b has its share', async () => b.owned().length === 3)
    // Each began when the one before had ended.
    expect(closing).toEqual(
      claimed
        .toReversed()
        .slice(0, 3)
        .map((partition, i) => [partition, 5 - i]),
    )
  })

  it('gives each lease a higher epoch than the one before', async () => {
    const epochs: number[] = []
    for (const name of ['a', 'b', 'a']) {
      const worker = startWorker(name, 1)
      await until('it is owned', async () => worker.opened.length === 1)
      epochs.push(...worker.opened.map(fence => fence.epoch))
      await worker.stop()
    }
    expect(epochs).toEqual([1, 2, 3])
  })

  it('wakes a standby at a release, long before the lease would have expired', async () => {
    const a = startWorker('a', 1, { timing: SLOW })
    await until('a owns it', async () => a.owned().length === 1)
    const b = startWorker('b', 1, { timing: SLOW })
    await until('b is listed', async () => (await redis.zcard(keys.workers)) === 2)
    const before = performance.now()
    await a.stop()
    await until('b owns it', async () => b.owned().length === 1)
    expect(performance.now() - before).toBeLessThan(5000)
    expect(a.closed.map(end => end.parting)).toEqual(['hand-over'])
  })

  it('leaves each partition to the others as soon as it is closed, however long the rest takes', async () => {
    const rest = Promise.withResolvers<void>()
    let slow: number | undefined
    const a = startWorker('a', 3, { close: async partition => partition === slow && rest.promise, timing: SLOW })
    await until('a owns all', async () => a.owned().length === 3)
    const b = startWorker('b', 3, { timing: SLOW })
    await until('b is listed', async () => (await redis.zcard(keys.workers)) === 2)
    // A beat of a, which then gives up what is too many.
    await redis.publish(RELEASED, '')
    await until('b has its share', async () => b.owned().length === 1)
    slow = a.owned()[1]
    const stopped = a.stop()
    await until('b owns what is closed', async () => b.owned().length === 2, { timeoutMs: 5000 })
    expect(b.owned()).not.toContain(slow)
    rest.resolve()
    await stopped
    await until('b owns all', async () => b.owned().length === 3, { timeoutMs: 5000 })
  })

  it('takes over from a worker that died as soon as its lease ends', async () => {
    await redis.set(keys.lease(0), 'dead:7', 'PX', 730)
    await redis.set(keys.epoch(0), 7)
    const before = performance.now()
    const b = startWorker('b', 1, { timing: SLOW })
    await until('b owns it', async () => b.owned().length === 1)
    expect(performance.now() - before).toBeLessThan(5000)
    expect(b.opened[0]?.epoch).toBe(8)
  })

  it('closes before the lease can expire when Redis cannot be reached', async () => {
    const a = startWorker('a', 1)
    await until('a owns it', async () => a.owned().length === 1)
    const before = performance.now()
    a.cut()
    await until('a closed', async () => a.closed.length === 1)
    expect(a.closed[0]?.parting).toBe('lost')
    expect((a.closed[0]?.at ?? Infinity) - before).toBeLessThan(TIMING.ttlMs)
    expect(a.opened[0]?.valid()).toBe(false)
    expect(a.opened[0]?.signal.aborted).toBe(true)
  })

  it('keeps its leases when its connection falls silent, again and again', async () => {
    const proxy = await startRedisProxy(server.url)
    const a = startWorker('a', 1, { timing: { ...TIMING, beatMs: 500 }, url: proxy.url })
    await until('a owns it', async () => a.owned().length === 1)
    for (let i = 0; i < 3; i++) {
      proxy.silence()
      await until('doubt', () => !a.owner.connected())
      await until('a beat', () => a.owner.connected())
    }
    expect(a.closed).toEqual([])
    expect(a.opened).toHaveLength(1)
    await a.stop()
    await proxy.close()
  })

  it('knows after a freeze that the lease is gone, before any timer has run, and writes nothing', async () => {
    const a = startWorker('a', 1)
    await until('a owns it', async () => a.owned().length === 1)
    const fence = a.opened[0] as Fence
    await redis.set(keys.lease(0), 'b:2', 'PX', 60_000)
    a.freeze(5000)
    expect(fence.valid()).toBe(false)
    await expect(WRITE.run(redis, fence, ['written'], ['x'])).rejects.toThrow(FencedError)
    expect(await redis.exists('written')).toBe(0)
    await until('a closed', async () => a.closed.length === 1)
    expect(a.owned()).toEqual([])
  })

  it('does not claim a partition anew before its own sockets of the lost lease are closed', async () => {
    const a = startWorker('a', 1, { close: async () => sleep(600) })
    await until('a owns it', async () => a.owned().length === 1)
    await redis.del(keys.lease(0))
    await until('a owns it again', async () => a.opened.length === 2)
    expect(a.closed).toHaveLength(1)
    expect(a.opened.map(fence => fence.epoch)).toEqual([1, 2])
  })

  it('keeps the lease while it hands over slowly', async () => {
    const a = startWorker('a', 1, { close: async () => sleep(3600) })
    await until('a owns it', async () => a.owned().length === 1)
    const b = startWorker('b', 1)
    await until('b is listed', async () => (await redis.zcard(keys.workers)) === 2)
    await a.stop()
    expect(b.opened).toHaveLength(0)
    await until('b owns it', async () => b.owned().length === 1)
  })

  it('keeps its leases in a full Redis, and takes free ones', async () => {
    const a = startWorker('a', 2)
    await until('a owns all', async () => a.owned().length === 2)
    await redis.config('SET', 'maxmemory', '1')
    try {
      await sleep(TIMING.ttlMs + TIMING.beatMs)
      expect(a.closed).toEqual([])
      expect(a.owner.connected()).toBe(true)
      const b = startWorker('b', 2)
      await until('a beat of b', () => b.owner.connected())
      await a.stop()
      await until('b owns all', () => b.owned().length === 2)
    } finally {
      await redis.config('SET', 'maxmemory', '0')
    }
  })

  it('asks Redis once a beat, whatever it owns', async () => {
    // Once for each would be twenty.
    const a = startWorker('a', 4)
    await until('a owns all', async () => a.owned().length === 4)
    await redis.config('RESETSTAT')
    await new Promise(resolve => setTimeout(resolve, 1000))
    const stats = await redis.info('commandstats')
    expect(Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1])).toBeLessThan(20)
  })
})

describe('a Redis that was given an older copy', () => {
  const COUNTERS = ['bull:whatsapp-jobs:id', 'bull:whatsapp-jobs-1:id']
  /** What the copy does to what a worker has written since it was made. */
  const copies: [string, () => Promise<unknown>][] = [
    ['has an earlier beat', async () => redis.zadd(keys.workers, Date.now(), 'a')],
    ['was made before the worker came', async () => redis.zrem(keys.workers, 'a')],
    ['is of an earlier generation', async () => redis.set(keys.generation, '5')],
    ['is empty', async () => redis.flushall()],
  ]

  it.each(copies)('that %s: everything starts anew under a new generation', async (_what, putBack) => {
    const a = startWorker('a', 2, { timing: SLOW })
    await until('a owns all', async () => a.owned().length === 2)
    const before = Number(await redis.get(keys.generation))
    await redis.set(COUNTERS[0] as string, '60')
    await redis.publish(RELEASED, '')
    await putBack()
    await redis.publish(RELEASED, '')
    await until('a owns all again', async () => a.opened.length === 4 && a.owned().length === 2)
    expect(a.closed.map(end => end.parting)).toEqual(['lost', 'lost'])
    const after = Number(await redis.get(keys.generation))
    expect(after).toBeGreaterThan(before)
    expect(a.generation.current()).toBe(after)
    for (const counter of COUNTERS) expect(Number(await redis.get(counter))).toBeGreaterThanOrEqual(before)
  })

  it('has one new generation, however many workers notice', async () => {
    const [a, b] = [startWorker('a', 2), startWorker('b', 2)]
    await until('both own one', async () => a.owned().length === 1 && b.owned().length === 1)
    const before = a.generation.current()
    expect(b.generation.current()).toBe(before)
    await redis.zrem(keys.workers, 'a', 'b')
    await until('both have noticed', async () => a.generation.current() > before && b.generation.current() > before)
    expect(a.generation.current()).toBe(b.generation.current())
    await until('both own one', async () => a.owned().length === 1 && b.owned().length === 1)
  })

  it('gives no id again that it lost since the last beat when it was started again, and keeps the leases', async () => {
    const port = await freePort()
    const dir = await mkdtemp(join(tmpdir(), 'kurir-owner-'))
    let own = await startRedis({ port, dir })
    const other = new Redis(own.url, { maxRetriesPerRequest: null }).on('error', () => {})
    const a = startWorker('a', 1, { timing: SLOW, url: own.url, late: true })
    await until('a owns it', async () => a.owned().length === 1)
    await other.set(COUNTERS[0] as string, '60')
    await other.save()
    const before = a.generation.current()
    await other.incrby(COUNTERS[0] as string, 10)
    own.child?.signal('SIGKILL')
    await own.child?.exited
    own = await startRedis({ port, dir })
    await until('a new generation', () => a.generation.current() > before)
    expect(Number(await other.get(COUNTERS[0] as string))).toBeGreaterThan(before)
    expect(a.owned()).toEqual([0])
    expect(a.opened).toHaveLength(1)
    await a.stop()
    other.disconnect()
    await own.close()
    await rm(dir, { recursive: true })
  })

  it('is not suspected when a worker comes, goes, or misses beats', async () => {
    const a = startWorker('a', 2)
    await until('a owns all', async () => a.owned().length === 2)
    const before = a.generation.current()
    await redis.set(COUNTERS[0] as string, '60')
    const b = startWorker('b', 2)
    await until('b owns one', async () => b.owned().length === 1)
    await b.stop()
    server.child?.signal('SIGSTOP')
    await sleep(TIMING.ttlMs)
    server.child?.signal('SIGCONT')
    await until('a owns all again', async () => a.owned().length === 2 && a.owner.connected())
    expect(a.generation.current()).toBe(before)
    expect(await redis.get(COUNTERS[0] as string)).toBe('60')
  })
})

describe('agreeOnPartitions', () => {
  it('refuses another number than the one that is recorded', async () => {
    await agreeOnPartitions(redis, 4, log)
    await agreeOnPartitions(redis, 4, log)
    await expect(agreeOnPartitions(redis, 5, log)).rejects.toThrow(PartitionsMismatch)
  })

  it('lets a worker start in a full Redis, and one wait that has nothing yet', async () => {
    await redis.config('SET', 'maxmemory', '1')
    let agreed = false
    const waiting = agreeOnPartitions(redis, 4, log).then(() => (agreed = true))
    await until('it to be refused', async () => /errorstat_OOM/.test(await redis.info('errorstats')))
    expect(agreed).toBe(false)
    await redis.config('SET', 'maxmemory', '0')
    await waiting
    await redis.config('SET', 'maxmemory', '1')
    try {
      await expect(agreeOnPartitions(redis, 4, log)).resolves.toBeUndefined()
    } finally {
      await redis.config('SET', 'maxmemory', '0')
    }
  })
})
