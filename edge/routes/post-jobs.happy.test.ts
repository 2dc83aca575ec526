import { describe, expect, it } from 'vitest'
import { SESSION_FIELD } from '../../shared/keys.ts'
import { command, get, newSession, OTHER_KEY, post, text } from '../testing.ts'

interface Accepted {
  id: string
  name: string
  sessionId: string
  statusUrl: string
}

describe('one job', () => {
  it('is stored as the contract reads it, with the id of its session, and answered with where it can be watched', async () => {
    const sessionId = newSession()
    const data = { ...text(sessionId).data, mentions: [] }
    const response = await post({ name: 'SEND_TEXT', data: { ...data, to: '+62 812-3456-7890' } })
    expect(response.status).toBe(202)
    const job = await response.json<Accepted>()
    expect(job).toEqual({
      id: expect.stringMatching(/^\d+$/),
      name: 'SEND_TEXT',
      sessionId,
      statusUrl: `https://kurir.test/v1/sessions/${sessionId}/jobs/${job.id}`,
    })
    expect(response.headers.get('location')).toBe(job.statusUrl)
    expect(response.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
    const stored = await command('HGET', `bull:whatsapp-jobs:${job.id}`, 'data')
    expect(JSON.parse(String(stored))).toEqual({ ...data, to: '6281234567890@s.whatsapp.net' })
    expect(await command('HGET', `bull:whatsapp-jobs:${job.id}`, SESSION_FIELD)).toBe(sessionId)
  })

  it('may be delayed, urgent and named', async () => {
    const sessionId = newSession()
    const id = `order-${sessionId}`
    const response = await post({ ...text(sessionId), opts: { delay: 60_000, priority: 5, jobId: id } })
    expect((await response.json<Accepted>()).id).toBe(id)
    const opts = JSON.parse(String(await command('HGET', `bull:whatsapp-jobs:${sessionId}~${id}`, 'opts'))) as unknown
    expect(opts).toEqual({
      attempts: 3,
      backoff: { type: 'exponential', delay: 1000 },
      removeOnComplete: true,
      removeOnFail: false,
      delay: 60_000,
      priority: 5,
      jobId: `${sessionId}~${id}`,
    })
  })

  const named = (sessionId: string, jobId: string, words?: string) => ({ ...text(sessionId, words), opts: { jobId } })
  const waiting = () => command('LLEN', 'bull:whatsapp-jobs:wait')

  it('of an id that is there already is a repeat, and not added again', async () => {
    const job = named(newSession(), 'order-1')
    const first = await (await post(job)).json<Accepted>()
    const before = await waiting()
    const second = await post(job)
    expect(second.status).toBe(202)
    expect(await second.json()).toEqual({ ...first, repeated: true })
    expect(await waiting()).toBe(before)
  })

  it('has an id of its session: another session may use the same', async () => {
    const [one, two] = [newSession(), newSession()]
    await post(named(one, 'order-1'))
    const answer = await (await post(named(two, 'order-1', 'other'))).json<Accepted>()
    expect(answer).toMatchObject({ id: 'order-1', sessionId: two })
    expect(answer).not.toHaveProperty('repeated')
    expect((await get(new URL(answer.statusUrl).pathname)).status).toBe(200)
  })

  it('of a used id and other content is refused, and nothing of its post is stored', async () => {
    const sessionId = newSession()
    await post(named(sessionId, 'order-1'))
    const before = await waiting()
    const response = await post({ jobs: [text(sessionId), named(sessionId, 'order-1', 'other')] })
    expect(response.status).toBe(409)
    const problem = { code: 'JOB_ID_REUSED', detail: expect.stringContaining('jobs[1]') as string }
    expect(await response.json()).toMatchObject(problem)
    const twice = await post({ jobs: [named(sessionId, 'order-2', 'a'), named(sessionId, 'order-2', 'b')] })
    expect(twice.status).toBe(409)
    expect(await waiting()).toBe(before)
    const same = await post({ jobs: [named(sessionId, 'order-2', 'a'), named(sessionId, 'order-2', 'a')] })
    const { jobs } = await same.json<{ jobs: (Accepted & { repeated?: boolean })[] }>()
    expect(jobs.map(job => job.repeated)).toEqual([undefined, true])
    expect(await waiting()).toBe(Number(before) + 1)
  })

  it('is a repeat when it was completed, and runs again when it failed', async () => {
    const sessionId = newSession()
    const stored = `${sessionId}~order-1`
    const ends = async (state: string) => {
      await command('LREM', 'bull:whatsapp-jobs:wait', '1', stored)
      await command('HSET', `kurir:receipt:whatsapp-jobs:${stored}`, 'sessionId', sessionId, 'state', state)
      if (state === 'failed') return command('ZADD', 'bull:whatsapp-jobs:failed', '1', stored)
      return command('DEL', `bull:whatsapp-jobs:${stored}`)
    }
    await post(named(sessionId, 'order-1', 'wrong'))
    await ends('failed')
    const corrected = await (await post(named(sessionId, 'order-1', 'right'))).json<Accepted>()
    expect(corrected).not.toHaveProperty('repeated')
    expect(await command('ZSCORE', 'bull:whatsapp-jobs:failed', stored)).toBeNull()
    expect(await command('LPOS', 'bull:whatsapp-jobs:wait', stored)).toBe(0)
    await ends('completed')
    const repeat = await (await post(named(sessionId, 'order-1', 'right'))).json<Accepted>()
    expect(repeat).toEqual({ ...corrected, repeated: true })
    expect(await command('EXISTS', `bull:whatsapp-jobs:${stored}`)).toBe(0)
    expect((await post(named(sessionId, 'order-1', 'wrong'))).status).toBe(409)
  })

  it('posted at once under one id, many times, is one job', async () => {
    const sessionId = newSession()
    const before = await waiting()
    const posts = await Promise.all(Array.from({ length: 40 }, () => post(named(sessionId, 'order-1'))))
    const answers = await Promise.all(posts.map(async response => response.json<{ repeated?: boolean }>()))
    expect(answers.filter(({ repeated }) => repeated !== true)).toHaveLength(1)
    expect(await waiting()).toBe(Number(before) + 1)
  })
})

describe('a batch', () => {
  it('keeps its order', async () => {
    const [one, two] = [newSession(), newSession()]
    const response = await post({ jobs: [text(one, '1'), text(two, '2'), text(one, '3')] })
    expect(response.status).toBe(202)
    const { jobs } = await response.json<{ jobs: Accepted[] }>()
    expect(jobs.map(job => job.sessionId)).toEqual([one, two, one])
    expect(await command('LRANGE', 'bull:whatsapp-jobs:wait', '0', '2')).toEqual(jobs.map(job => job.id).reverse())
  })

  it('of 500 goes into the queues of its partitions', async () => {
    await command('DEL', 'kurir:partitions')
    const jobs = Array.from({ length: 500 }, () => text(newSession()))
    const response = await post({ jobs }, { settings: { PARTITIONS: '3' } })
    expect(response.status).toBe(202)
    expect((await response.json<{ jobs: Accepted[] }>()).jobs).toHaveLength(500)
    const lengths = [
      await command('LLEN', 'bull:whatsapp-jobs-1:wait'),
      await command('LLEN', 'bull:whatsapp-jobs-2:wait'),
    ]
    for (const length of lengths) expect(length).toBeGreaterThan(100)
  })
})

describe('an Idempotency-Key', () => {
  it('gives a repeat the first ids, and adds nothing', async () => {
    const sessionId = newSession()
    const headers = { 'idempotency-key': `key of ${sessionId}` }
    const batch = { jobs: [text(sessionId, 'a'), text(sessionId, 'b')] }
    const first = await post(batch, { headers })
    expect(first.headers.get('idempotency-replayed')).toBeNull()
    const waiting = await command('LLEN', 'bull:whatsapp-jobs:wait')
    const repeat = await post(batch, { headers })
    expect(repeat.status).toBe(202)
    expect(repeat.headers.get('idempotency-replayed')).toBe('true')
    expect(await repeat.json()).toEqual(await first.json())
    expect(await command('LLEN', 'bull:whatsapp-jobs:wait')).toBe(waiting)
  })

  it('makes one job of many posts at once', async () => {
    const sessionId = newSession()
    const headers = { 'idempotency-key': sessionId }
    const posts = await Promise.all(Array.from({ length: 50 }, () => post(text(sessionId), { headers })))
    const ids = await Promise.all(posts.map(async response => (await response.json<Accepted>()).id))
    expect(new Set(ids).size).toBe(1)
  })

  it('is remembered for a day', async () => {
    const sessionId = newSession()
    const before = new Set((await command('KEYS', 'kurir:idempotency:*')) as string[])
    await post(text(sessionId), { headers: { 'idempotency-key': sessionId } })
    const after = (await command('KEYS', 'kurir:idempotency:*')) as string[]
    const [added = ''] = after.filter(key => !before.has(key))
    expect(await command('TTL', added)).toBeGreaterThan(24 * 60 * 60 - 60)
    expect(added).not.toContain(sessionId)
  })

  it('of another API key is another one', async () => {
    const sessionId = newSession()
    const headers = { 'idempotency-key': sessionId }
    const mine = await (await post(text(sessionId), { headers })).json<Accepted>()
    const others = await post(text(sessionId, 'other'), {
      headers: { ...headers, authorization: `Bearer ${OTHER_KEY}` },
    })
    expect(others.status).toBe(202)
    expect((await others.json<Accepted>()).id).not.toBe(mine.id)
  })
})
