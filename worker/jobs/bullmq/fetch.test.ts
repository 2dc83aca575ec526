import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startRedis, type RunningRedis } from '../../../dev/redis/start.ts'
import { keys } from '../../../shared/keys.ts'
import type { Fence } from '../../ownership/fence.ts'
import { fetchJobs, refillLanes, type Fetched } from './fetch.ts'
import { layoutOf } from './layout.ts'
import { label } from './label.ts'
import { findOrphans } from './orphans.ts'
import type { OwnedQueue } from './owned-queue.ts'
import { park } from './park.ts'
import { createBench, text, type Bench } from '../../../dev/testing/owned-partition.ts'

const layout = layoutOf('whatsapp-jobs')
const signal = new AbortController().signal
const fence: Fence = { partition: 0, epoch: 1, token: 'w:1', signal, valid: () => true }
const PLENTY = 1_000_000

let server: RunningRedis
let bench: Bench
let queue: OwnedQueue

beforeAll(async () => void (server = await startRedis()))
afterAll(async () => server.close())
beforeEach(async () => {
  bench = createBench(server)
  const { redis } = bench
  await redis.set(keys.lease(0), fence.token)
  const clock = { now: Date.now, monotonic: () => performance.now() }
  queue = { redis, fence, layout, clock }
})
afterEach(async () => {
  await bench.redis.flushall()
  await bench.close()
})

const add = async (sessionId: string, name = 'SEND_TEXT', opts = {}) =>
  (await bench.queue().add(name, text(sessionId, 'x'), opts)).id ?? ''
const ids = (jobs: readonly [string, unknown][]) => jobs.map(([id]) => id)
const active = async () => (await bench.redis.lrange(layout.active, 0, -1)).reverse()
const lane = async (sessionId: string) => bench.redis.lrange(keys.lane(sessionId), 0, -1)

/** As the consumer does: at jobs that nobody has read a fetch stops, until they are labelled. */
async function fetchLabelled() {
  const all: Pick<Fetched, 'jobs' | 'parked'> = { jobs: [], parked: [] }
  for (let dry = false; !dry;) {
    const fetched = await fetchJobs(queue, 10, PLENTY)
    await label(queue, fetched.unread)
    all.jobs.push(...fetched.jobs)
    all.parked = [...all.parked, ...fetched.parked]
    dry = fetched.dry
  }
  return { ...all, parked: all.parked.slice(-1) }
}

describe('fetch', () => {
  it('puts jobs behind the parked ones of their session in the same script, and brings the others', async () => {
    const first = await add('a')
    expect(ids((await fetchJobs(queue, 10, PLENTY)).jobs)).toEqual([first])
    await park(queue, [{ sessionId: 'a', side: 'front', jobs: [{ id: first, name: 'SEND_TEXT' }] }])
    const [second, other, stop, urgent] = [
      await add('a'),
      await add('b'),
      await add('a', 'STOP_SESSION'),
      await add('a', 'SEND_TEXT', { priority: 1 }),
    ]
    const fetched = await fetchLabelled()
    expect(ids(fetched.jobs)).toEqual([other])
    expect(fetched.parked).toEqual([{ sessionId: 'a', jobs: 4, controls: 1 }])
    expect(await lane('a')).toEqual([first, second, stop, urgent])
    expect(await bench.redis.lrange(keys.laneControls('a'), 0, -1)).toEqual([stop])
    expect(await active()).toEqual([other])
    expect(Number(await bench.redis.hget(`bull:whatsapp-jobs:${urgent}`, 'ats'))).toBe(0)
  })

  it('stops at its room, and at its budget of bytes', async () => {
    for (let i = 0; i < 5; i++) await add('a')
    expect((await fetchJobs(queue, 2, PLENTY)).jobs).toHaveLength(2)
    expect((await fetchJobs(queue, 10, 1)).jobs).toHaveLength(1)
    const rest = await fetchJobs(queue, 10, PLENTY)
    expect(rest).toMatchObject({ dry: true, refused: 0 })
    expect(rest.jobs).toHaveLength(2)
  })
})

describe('refill', () => {
  async function parked() {
    const all = [await add('a'), await add('a', 'STOP_SESSION'), await add('a')]
    await fetchJobs(queue, 10, PLENTY)
    const jobs = all.map((id, i) => ({ id, name: i === 1 ? 'STOP_SESSION' : 'SEND_TEXT' }))
    await park(queue, [{ sessionId: 'a', side: 'back', jobs }])
    return all
  }

  it('brings the oldest back, and forgets a lane that is empty', async () => {
    const all = await parked()
    const one = await refillLanes(queue, [{ sessionId: 'a', count: 2, from: 'head' }], PLENTY)
    expect(one.lanes.map(({ taken, jobs, controls }) => [ids(taken), jobs, controls])).toEqual([
      [all.slice(0, 2), 1, 0],
    ])
    const two = await refillLanes(queue, [{ sessionId: 'a', count: 2, from: 'head' }], PLENTY)
    expect(two.lanes.map(({ taken, jobs }) => [ids(taken), jobs])).toEqual([[all.slice(2), 0]])
    expect(await bench.redis.exists(keys.parked(0), keys.lane('a'), keys.laneControls('a'))).toBe(0)
    expect(await active()).toEqual(all)
  })

  it('brings the controls alone', async () => {
    const all = await parked()
    const { lanes } = await refillLanes(queue, [{ sessionId: 'a', count: 5, from: 'controls' }], PLENTY)
    expect(ids(lanes[0]?.taken ?? [])).toEqual([all[1]])
    expect(await lane('a')).toEqual([all[0], all[2]])
  })

  it('passes over jobs that somebody removed', async () => {
    const all = await parked()
    await bench.redis.del(`bull:whatsapp-jobs:${all[0]}`)
    const { lanes } = await refillLanes(queue, [{ sessionId: 'a', count: 1, from: 'head' }], PLENTY)
    expect(ids(lanes[0]?.taken ?? [])).toEqual([all[1]])
    expect(await bench.redis.exists(`bull:whatsapp-jobs:${all[0]}`)).toBe(0)
  })

  it('leaves everything in its place while the queue is paused', async () => {
    const all = await parked()
    await bench.queue().pause()
    expect(await refillLanes(queue, [{ sessionId: 'a', count: 3, from: 'head' }], PLENTY)).toMatchObject({
      refused: true,
    })
    expect(await lane('a')).toEqual(all)
    expect(await bench.redis.llen(layout.wait)).toBe(0)
  })
})

describe('park', () => {
  it('does nothing the second time, so that a command may be sent again', async () => {
    const id = await add('a')
    await fetchJobs(queue, 1, PLENTY)
    const group = { sessionId: 'a', side: 'front', jobs: [{ id, name: 'STOP_SESSION' }] } as const
    expect((await park(queue, [group])).lanes).toEqual([{ sessionId: 'a', jobs: 1, controls: 1 }])
    expect((await park(queue, [group])).lanes).toEqual([{ sessionId: 'a', jobs: 1, controls: 1 }])
  })
})

describe('orphans', () => {
  it('finds what nobody holds, oldest first', async () => {
    const all = [await add('a'), await add('b'), await add('a')]
    await fetchJobs(queue, 10, PLENTY)
    const found = await findOrphans(queue, new Set([all[1] ?? '']))
    expect(found.orphans).toEqual([all[0], all[2]].map(id => ({ id, name: 'SEND_TEXT', sessionId: 'a' })))
  })
})
