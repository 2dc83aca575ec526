import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { until } from '../../dev/stack/until.ts'
import { poisonJobs } from '../../dev/testing/poison-jobs.ts'
import { JOB_OPTIONS } from '../../shared/contract.ts'
import { keys } from '../../shared/keys.ts'
import { createBench, fakeSessions, text, texts, type Bench } from '../../dev/testing/owned-partition.ts'

/** What outsiders can put into a queue, among good jobs: each must run, in order, and nothing may stop the partition. */

let server: RunningRedis
let bench: Bench

beforeAll(async () => void (server = await startRedis()))
afterAll(async () => server.close())
beforeEach(() => void (bench = createBench(server)))
afterEach(async () => {
  await bench.redis.flushall()
  await bench.close()
})

const { jobs: poisons, keys: brokenKeys } = poisonJobs('whatsapp-jobs', 'poisoned')
const good = async (sessionId: string, body: string) =>
  bench.queue().add('SEND_TEXT', text(sessionId, body), JOB_OPTIONS)

describe('a queue with what no producer of ours writes', () => {
  // While a session is offline, the fetch has to know whose each job is; and what is parked comes back by another way.
  it.each([
    ['every session is open', ''],
    ['another session is offline', 'offline'],
    ['their session is offline at first', 'poisoned'],
  ])(
    `runs every good job after each of ${poisons.length} kinds, in order, when %s`,
    async (_, offline) => {
      const sessions = fakeSessions()
      if (offline !== '') sessions.down(offline)
      await bench.own(sessions)
      await good(offline || 'other', 'first')
      await until(
        'it to run or to be parked',
        async () => (await bench.redis.llen(keys.lane(offline))) + sessions.ran.length,
      )
      const ran = (sessionId: string) =>
        texts(sessions.ran.filter(job => job.data.sessionId === sessionId)).filter(body => body !== 'poison')
      const stuck: string[] = []
      for (const { what, put } of poisons) {
        await put(bench.redis)
        await good('good', what).catch(() => stuck.push(`not added after ${what}`))
        await good('poisoned', what).catch(() => undefined)
        const arrived = until(what, async () => ran('good').at(-1) === what, { timeoutMs: 2000 })
        await arrived.catch(() => stuck.push(what))
        if (stuck.length > 5) break
      }
      expect(stuck).toEqual([])
      sessions.up(offline)
      const all = [...(offline === 'poisoned' ? ['first'] : []), ...poisons.map(({ what }) => what)]
      await until('the lane that was poisoned', async () => ran('poisoned').length === all.length)
      expect(ran('good')).toEqual(poisons.map(({ what }) => what))
      expect(ran('poisoned')).toEqual(all)
      expect(await bench.redis.llen('bull:whatsapp-jobs:wait')).toBe(0)
      expect(await bench.redis.llen(keys.aside(0))).toBeGreaterThan(10)
    },
    120_000,
  )

  it('is taken over', async () => {
    for (const { put } of [...poisons, ...brokenKeys]) await put(bench.redis)
    const sessions = fakeSessions()
    await bench.own(sessions)
    await until('a good job to be added', async () =>
      good('good', 'x').then(
        () => true,
        () => false,
      ),
    )
    await until('it to run', async () => texts(sessions.ran).includes('x'))
    await until('an empty queue', async () => (await bench.redis.llen('bull:whatsapp-jobs:active')) === 0)
    expect(await bench.redis.llen('bull:whatsapp-jobs:wait')).toBe(0)
  }, 60_000)

  it.each(brokenKeys.map(({ what, put }) => [what, put] as const))('runs the good ones when %s', async (_, put) => {
    for (const session of ['good', 'poisoned', 'good']) await good(session, session)
    await put(bench.redis)
    const sessions = fakeSessions()
    await bench.own(sessions)
    await until('all to run', async () => sessions.ran.length === 3)
    expect(texts(sessions.ran.filter(job => job.data.sessionId === 'good'))).toEqual(['good', 'good'])
    await until('an empty queue', async () => (await bench.redis.llen('bull:whatsapp-jobs:active')) === 0)
  })
})
