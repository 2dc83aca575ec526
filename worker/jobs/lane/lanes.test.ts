import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startRedis, type RunningRedis } from '../../../dev/redis/start.ts'
import { until } from '../../../dev/stack/until.ts'
import { JOB_OPTIONS } from '../../../shared/contract.ts'
import { keys } from '../../../shared/keys.ts'
import { partitionOf } from '../../../shared/partition.ts'
import {
  createBench,
  fakeSessions,
  text,
  texts,
  untilClosed,
  type Bench,
} from '../../../dev/testing/owned-partition.ts'
import { JobFailure } from '../job.ts'

let server: RunningRedis
let bench: Bench

beforeAll(async () => void (server = await startRedis()))
afterAll(async () => server.close())
beforeEach(() => void (bench = createBench(server)))
afterEach(async () => {
  await bench.redis.flushall()
  await bench.close()
})

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `${from + i}`)
const add = async (sessionId: string, bodies: readonly string[], partition = 0) =>
  bench
    .queue(partition)
    .addBulk(bodies.map(body => ({ name: 'SEND_TEXT', data: text(sessionId, body), opts: JOB_OPTIONS })))
const control = async (name: string, sessionId: string) => bench.queue().add(name, { sessionId }, JOB_OPTIONS)
const parked = async (sessionId: string) => bench.redis.llen(keys.lane(sessionId))
const ran = (sessions: ReturnType<typeof fakeSessions>, sessionId: string) =>
  texts(sessions.ran.filter(job => job.data.sessionId === sessionId))

/** No job is left anywhere. */
async function expectEmpty(partition = 0) {
  const prefix = partition === 0 ? 'bull:whatsapp-jobs' : `bull:whatsapp-jobs-${partition}`
  await until('an empty queue', async () => (await bench.redis.llen(`${prefix}:active`)) === 0)
  expect(await bench.redis.llen(`${prefix}:wait`)).toBe(0)
  expect(await bench.redis.exists(keys.parked(partition))).toBe(0)
  expect(await bench.redis.keys('kurir:lane*')).toEqual([])
}

describe('a lane that cannot move', () => {
  it('parks 10,000 jobs, delays nobody, and lets them go in order', async () => {
    const sessions = fakeSessions()
    sessions.down('stuck')
    const owner = await bench.own(sessions)
    await add('stuck', numbers(10_000))
    const before = performance.now()
    await add('other', ['hello'])
    await until('the other session', async () => sessions.ran.length === 1)
    expect(performance.now() - before).toBeLessThan(5000)
    await until('all to be parked', async () => (await parked('stuck')) === 10_000)
    await until('nothing to be held', async () => owner.jobs.lanes.held.size === 0)
    expect(await bench.redis.llen('bull:whatsapp-jobs:active')).toBe(0)
    expect(Number(await bench.redis.hget('bull:whatsapp-jobs:77', 'ats'))).toBe(0)
    sessions.up('stuck')
    await add('stuck', numbers(10, 10_000))
    await until('all to run', async () => sessions.ran.length === 10_011, { timeoutMs: 60_000 })
    expect(ran(sessions, 'stuck')).toEqual(numbers(10_010))
    await expectEmpty()
  }, 90_000)

  it('leaves the others their share when all go again at once', async () => {
    const sessions = fakeSessions()
    const names = numbers(60).map(i => `s${i}`)
    for (const name of names) sessions.down(name)
    const furthest: number[] = []
    sessions.work = async job => {
      const progress = (name: string) => sessions.started.filter(({ data }) => data.sessionId === name).length
      if (progress(job.data.sessionId) === 1) furthest.push(Math.max(...names.map(progress)))
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    await bench.own(sessions)
    for (const name of names) await add(name, numbers(40))
    await until('all to be parked', async () => (await parked('s59')) === 40)
    for (const name of names) sessions.up(name)
    await until('all to run', async () => sessions.ran.length === 60 * 40)
    // Of 384 that are taken back, each of 60 has 6.
    expect(Math.max(...furthest)).toBeLessThanOrEqual(12)
    for (const name of names) expect(ran(sessions, name)).toEqual(numbers(40))
  })

  it('keeps order when it stops and goes again and again', async () => {
    const sessions = fakeSessions()
    sessions.work = async () => {
      await new Promise(resolve => setTimeout(resolve, 1))
      if (!sessions.ready('s')) throw new JobFailure('INTERNAL', 'closed', 'wait')
    }
    await bench.own(sessions)
    for (let round = 0; round < 20; round++) {
      await add('s', numbers(20, round * 20))
      sessions.down('s')
      await new Promise(resolve => setTimeout(resolve, (round * 7) % 15))
      sessions.up('s')
      await new Promise(resolve => setTimeout(resolve, (round * 11) % 20))
    }
    await until('all to run', async () => sessions.ran.length === 400)
    expect(ran(sessions, 's')).toEqual(numbers(400))
    expect(sessions.ran.every(job => job.attempt === 1)).toBe(true)
    await expectEmpty()
  })

  it('lets START, STOP and DELETE overtake, at once', async () => {
    const sessions = fakeSessions()
    sessions.down('s')
    await bench.own(sessions)
    await add('s', numbers(20))
    await until('all to be parked', async () => (await parked('s')) === 20)
    await control('STOP_SESSION', 's')
    await control('START_SESSION', 's')
    await until('both to run', async () => sessions.ran.length === 2)
    expect(texts(sessions.ran)).toEqual(['STOP_SESSION', 'START_SESSION'])
    expect(await parked('s')).toBe(20)
  })

  it('lets through a STOP that was parked in order while it still moved', async () => {
    const sessions = fakeSessions()
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    sessions.work = async job => (job.name === 'SEND_TEXT' ? gate : undefined)
    await bench.own(sessions)
    await add('s', numbers(600))
    await until('most to be parked', async () => (await parked('s')) > 100)
    await control('STOP_SESSION', 's')
    await until('the STOP to be parked', async () => (await bench.redis.llen(keys.laneControls('s'))) === 1)
    expect(sessions.ran).toEqual([])
    sessions.down('s')
    await until('the STOP', async () => sessions.ran.length === 1)
    expect(texts(sessions.ran)).toEqual(['STOP_SESSION'])
    open()
    sessions.up('s')
    await until('the rest', async () => sessions.ran.length === 601)
    expect(ran(sessions, 's').slice(1)).toEqual(numbers(600))
    await expectEmpty()
  })

  it('runs them in order while it moves', async () => {
    const sessions = fakeSessions()
    await add('s', numbers(300))
    await control('STOP_SESSION', 's')
    await add('s', numbers(300, 300))
    await bench.own(sessions)
    await until('all to run', async () => sessions.ran.length === 601)
    expect(ran(sessions, 's')).toEqual([...numbers(300), 'STOP_SESSION', ...numbers(300, 300)])
  })
})

describe('a job whose session goes away under it', () => {
  it('keeps its place and counts no attempt', async () => {
    const sessions = fakeSessions()
    let interrupted = 0
    sessions.work = async job => {
      if (texts([job])[0] !== '0' || interrupted++ > 2) return
      sessions.down('s')
      throw new JobFailure('INTERNAL', 'closed', 'wait')
    }
    await bench.own(sessions)
    await add('s', numbers(5))
    for (let i = 1; i <= 3; i++) {
      await until('all to be parked', async () => interrupted === i && (await parked('s')) === 5)
      sessions.up('s')
    }
    await until('all to run', async () => sessions.ran.length === 5)
    expect(ran(sessions, 's')).toEqual(numbers(5))
    expect(sessions.ran[0]?.attempt).toBe(1)
  })

  it('is not tried in a hot loop when the session claims to be ready', async () => {
    const sessions = fakeSessions()
    sessions.work = async () => {
      if (sessions.started.length < 3) throw new JobFailure('INTERNAL', 'closed', 'wait')
    }
    await bench.own(sessions)
    const before = performance.now()
    await add('s', ['x'])
    await until('it to run', async () => sessions.ran.length === 1)
    expect(performance.now() - before).toBeGreaterThan(250)
    expect(sessions.started).toHaveLength(3)
  })
})

describe('a new owner', () => {
  it('goes on in order where a dead one stopped, and counts the crash of what ran', async () => {
    const dead = fakeSessions()
    dead.work = async job => (Number(texts([job])[0]) < 5 ? undefined : untilClosed(job, new AbortController().signal))
    await add('a', numbers(700))
    await add('b', numbers(20))
    const first = await bench.own(dead)
    await until('it to be busy', async () => dead.started.filter(job => texts([job])[0] === '5').length === 2)
    await until(
      'settled',
      async () => (await parked('a')) > 0 && (await bench.redis.llen('bull:whatsapp-jobs:wait')) === 0,
    )
    first.kill()
    const active = await bench.redis.llen('bull:whatsapp-jobs:active')
    expect(active).toBeGreaterThan(20)
    await add('a', numbers(5, 700))
    const alive = fakeSessions()
    alive.down('a')
    await bench.own(alive)
    await until('b', async () => ran(alive, 'b').length === 15)
    expect(await bench.redis.hget('bull:whatsapp-jobs:6', 'stc')).toBe('1')
    expect(await bench.redis.hget('bull:whatsapp-jobs:7', 'stc')).toBeNull()
    alive.up('a')
    await until('all', async () => alive.ran.length === 700 + 20 + 5 - 10)
    expect(ran(alive, 'a')).toEqual(numbers(700, 5))
    expect(ran(alive, 'b')).toEqual(numbers(15, 5))
    await expectEmpty()
  })

  it('gives up on a job that kills its owners', async () => {
    for (let i = 0; i < 10; i++) {
      const sessions = fakeSessions()
      sessions.work = untilClosed
      const owner = await bench.own(sessions)
      if (i === 0) await add('s', ['bomb', 'fine'])
      await until('it to run', async () => sessions.started.length === 1)
      owner.kill()
    }
    const sessions = fakeSessions()
    await bench.own(sessions)
    await until('the other', async () => sessions.ran.length === 1)
    expect(ran(sessions, 's')).toEqual(['fine'])
    expect((await bench.queue().getJob('1'))?.failedReason).toMatch(/^CRASHED_TOO_OFTEN: /)
  })

  it('gets from a drained one every job that did not run, in order, with no crash counted', async () => {
    const first = fakeSessions()
    first.work = async (job, signal) => (texts([job])[0] === '3' ? untilClosed(job, signal) : undefined)
    const owner = await bench.own(first)
    await add('s', numbers(30))
    await until('it to be busy', async () => first.started.length === 4)
    const before = performance.now()
    await owner.drain(200)
    expect(performance.now() - before).toBeLessThan(5000)
    expect(await bench.redis.llen('bull:whatsapp-jobs:active')).toBe(0)
    expect(await parked('s')).toBe(27)
    const second = fakeSessions()
    await bench.own(second)
    await until('the rest', async () => second.ran.length === 27)
    expect(ran(second, 's')).toEqual(numbers(27, 3))
    expect(second.ran.every(job => job.attempt === 1)).toBe(true)
    await expectEmpty()
  })

  it('lets a drained one finish what runs', async () => {
    const sessions = fakeSessions()
    sessions.work = async () => new Promise(resolve => setTimeout(resolve, 150))
    const owner = await bench.own(sessions)
    await add('s', numbers(3))
    await until('it to be busy', async () => sessions.started.length === 1)
    await owner.drain(1000)
    expect(ran(sessions, 's')).toEqual(['0'])
    expect(await parked('s')).toBe(2)
    expect(await bench.redis.exists(keys.receipt('whatsapp-jobs', '1'))).toBe(1)
  })
})

describe('a broken connection to Redis', () => {
  it('loses no job, runs none twice and keeps the order', async () => {
    const sessions = fakeSessions()
    sessions.work = async () => new Promise(resolve => setTimeout(resolve, 2))
    await bench.own(sessions)
    const names = ['a', 'b', 'c']
    for (let round = 0; round < 8; round++) {
      for (const name of names) await add(name, numbers(10, round * 10))
      await bench.redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      await new Promise(resolve => setTimeout(resolve, (round * 13) % 60))
    }
    await until('all to run', async () => sessions.ran.length >= 240)
    for (const name of names) expect(ran(sessions, name)).toEqual(numbers(80))
    await expectEmpty()
  }, 60_000)
})

describe('a job in the wrong partition', () => {
  const homeOf = (partition: number) =>
    numbers(100)
      .map(i => `s${i}`)
      .find(name => partitionOf(name, 3) === partition) ?? ''

  it('moves once, in order, to where its session lives', async () => {
    const here = fakeSessions()
    const there = fakeSessions()
    const far = homeOf(2)
    await add(far, numbers(200))
    await add(homeOf(0), numbers(3))
    await bench.queue().add('SEND_TEXT', text(far, 'urgent'), { ...JOB_OPTIONS, priority: 1 })
    await bench.queue().add('SEND_TEXT', text(far, 'named'), { ...JOB_OPTIONS, jobId: 'mine' })
    // An id that the other queue has as well.
    await bench.own(here, { partition: 0, partitions: 3 })
    await bench.own(there, { partition: 2, partitions: 3 })
    await until('all to run', async () => there.ran.length === 202 && here.ran.length === 3)
    expect(texts(there.ran)).toEqual([...numbers(200), 'named', 'urgent'].sort((a, b) => rank(a) - rank(b)))
    expect(there.ran[0]).toMatchObject({ id: 'from-0-1', queue: 'whatsapp-jobs-2', attempt: 1 })
    expect(there.ran.find(job => texts([job])[0] === 'named')?.id).toBe('from-0-mine')
    await expectEmpty(0)
    await expectEmpty(2)
    expect(await bench.redis.keys('bull:whatsapp-jobs:[0-9]*')).toEqual([])
  })

  const rank = (body: string) => (body === 'named' ? 1000 : body === 'urgent' ? 1001 : Number(body))

  it('is neither lost nor doubled by a crash of its owner', async () => {
    const far = homeOf(1)
    const first = await bench.own(fakeSessions(), { partition: 0, partitions: 3 })
    await add(far, numbers(500))
    await until('some to be forwarded', async () => (await bench.redis.llen('bull:whatsapp-jobs-1:wait')) > 50)
    first.kill()
    await bench.own(fakeSessions(), { partition: 0, partitions: 3 })
    const there = fakeSessions()
    await bench.own(there, { partition: 1, partitions: 3 })
    await until('all to run', async () => there.ran.length >= 500)
    expect(texts(there.ran)).toEqual(numbers(500))
    await expectEmpty(0)
  })
})
