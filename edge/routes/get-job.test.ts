import { afterEach, describe, expect, it } from 'vitest'
import { partitionOf } from '../../shared/partition.ts'
import { command, get, newSession, post, send, KEY, text } from '../testing.ts'

const QUEUE = 'bull:whatsapp-jobs'

async function posted(sessionId: string, opts?: Record<string, unknown>): Promise<string> {
  const response = await post({ ...text(sessionId), opts })
  return (await response.json<{ id: string }>()).id
}

async function statusOf(sessionId: string, id: string): Promise<Record<string, unknown>> {
  return await (await get(`/v1/sessions/${sessionId}/jobs/${id}`)).json()
}

/** A session that lives in the partition, out of so many. */
function sessionIn(partition: number, partitions: number): string {
  for (;;) {
    const sessionId = newSession()
    if (partitionOf(sessionId, partitions) === partition) return sessionId
  }
}

describe('a job on its way', () => {
  it('waits, plain or urgent', async () => {
    const sessionId = newSession()
    const id = await posted(sessionId)
    const plain = { id, name: 'SEND_TEXT', sessionId, state: 'waiting', attempts: 0 }
    expect(await statusOf(sessionId, id)).toEqual(plain)
    const urgent = await posted(sessionId, { priority: 3 })
    expect(await statusOf(sessionId, urgent)).toMatchObject({ id: urgent, state: 'waiting' })
  })

  it('may be delayed', async () => {
    const sessionId = newSession()
    expect(await statusOf(sessionId, await posted(sessionId, { delay: 60_000 }))).toMatchObject({ state: 'delayed' })
  })

  it('tells why its last attempt failed', async () => {
    const sessionId = newSession()
    const id = await posted(sessionId, { delay: 60_000 })
    await command('HSET', `${QUEUE}:${id}`, 'atm', '1', 'failedReason', 'MEDIA_FETCH_FAILED: the host answered 500')
    expect(await statusOf(sessionId, id)).toMatchObject({
      state: 'delayed',
      attempts: 1,
      error: { code: 'MEDIA_FETCH_FAILED', message: 'the host answered 500' },
    })
  })

  it('is active when a worker has it, and waits again when it is parked in its lane', async () => {
    const sessionId = newSession()
    const id = await posted(sessionId)
    await command('LREM', `${QUEUE}:wait`, '0', id)
    await command('LPUSH', `${QUEUE}:active`, id)
    expect(await statusOf(sessionId, id)).toMatchObject({ state: 'active' })
    await command('LREM', `${QUEUE}:active`, '0', id)
    await command('RPUSH', `kurir:lane:${sessionId}`, id)
    expect(await statusOf(sessionId, id)).toMatchObject({ state: 'waiting' })
  })
})

describe('a job that ended', () => {
  const receiptOf = (id: string, ...fields: string[]) =>
    command(
      'HSET',
      `kurir:receipt:whatsapp-jobs:${id}`,
      'name',
      'SEND_TEXT',
      'attempts',
      '2',
      'finishedAt',
      '7',
      ...fields,
    )

  it('is told from its receipt, since BullMQ forgets it', async () => {
    const sessionId = newSession()
    const id = `gone-${sessionId}`
    const key = { remoteJid: '6281234567890@s.whatsapp.net', fromMe: true, id: 'ABC' }
    await receiptOf(id, 'sessionId', sessionId, 'state', 'completed', 'result', JSON.stringify({ key }))
    expect(await statusOf(sessionId, id)).toEqual({
      id,
      name: 'SEND_TEXT',
      sessionId,
      state: 'completed',
      attempts: 2,
      result: { key },
      finishedAt: 7,
    })
  })

  it('has its error from its receipt, or from BullMQ when there is none', async () => {
    const sessionId = newSession()
    const id = await posted(sessionId)
    await command('LREM', `${QUEUE}:wait`, '0', id)
    await command('ZADD', `${QUEUE}:failed`, '9', id)
    await command('HSET', `${QUEUE}:${id}`, 'atm', '3', 'finishedOn', '9', 'failedReason', 'NOT_IN_GROUP: not there')
    const expected = {
      state: 'failed',
      attempts: 3,
      finishedAt: 9,
      error: { code: 'NOT_IN_GROUP', message: 'not there' },
    }
    expect(await statusOf(sessionId, id)).toMatchObject(expected)
    await receiptOf(id, 'sessionId', sessionId, 'state', 'failed', 'code', 'ACK_TIMEOUT', 'message', 'no ack')
    const error = { code: 'ACK_TIMEOUT', message: 'no ack' }
    expect(await statusOf(sessionId, id)).toMatchObject({ state: 'failed', attempts: 2, finishedAt: 7, error })
  })

  it('does not repeat a reason that is not of our worker', async () => {
    const sessionId = newSession()
    const id = await posted(sessionId)
    await command('HSET', `${QUEUE}:${id}`, 'failedReason', 'Error: connect ECONNREFUSED 10.0.0.3 with secret')
    expect(await statusOf(sessionId, id)).toMatchObject({ error: { code: 'INTERNAL', message: 'the job failed' } })
  })

  it('gives way to a new job of its id', async () => {
    const sessionId = newSession()
    const id = `again-${sessionId}`
    await receiptOf(id, 'sessionId', sessionId, 'state', 'completed')
    await posted(sessionId, { jobId: id })
    expect(await statusOf(sessionId, id)).toMatchObject({ state: 'waiting', attempts: 0 })
  })
})

describe('a job of a foreign producer', () => {
  const partitions = 4
  afterEach(() => command('DEL', 'kurir:partitions'))

  it("is found in the contract's queue until it is forwarded", async () => {
    const sessionId = sessionIn(2, partitions)
    const id = `foreign-${sessionId}`
    await command('HSET', `${QUEUE}:${id}`, 'name', 'SEND_TEXT', 'data', JSON.stringify(text(sessionId).data))
    const path = `/v1/sessions/${sessionId}/jobs/${id}`
    const init = { headers: { authorization: `Bearer ${KEY}` } }
    const response = await send(path, init, { PARTITIONS: String(partitions) })
    expect(await response.json()).toMatchObject({ id, state: 'waiting' })
  })

  it.each([
    ['half an emoji', '{"sessionId":"SESSION","text":"Halo \\ud83d"}'],
    ['1,000 levels', `{"sessionId":"SESSION","text":"Halo","extra":${'['.repeat(1000)}${']'.repeat(1000)}}`],
  ])('is found when its data has what Lua does not read: %s', async (_, data) => {
    const sessionId = newSession()
    const id = `odd-${sessionId}`
    await command('HSET', `${QUEUE}:${id}`, 'name', 'SEND_TEXT', 'data', data.replace('SESSION', sessionId))
    expect(await statusOf(sessionId, id)).toMatchObject({ id, state: 'waiting' })
    expect((await get(`/v1/sessions/${newSession()}/jobs/${id}`)).status).toBe(404)
  })

  it('keeps its id for whoever asks after it was forwarded, and after it ended', async () => {
    const [sessionId, other] = [sessionIn(2, partitions), sessionIn(2, partitions)]
    const id = `moved-${sessionId}`
    const moved = `from-0-${id}`
    const ask = (session: string) =>
      send(
        `/v1/sessions/${session}/jobs/${id}`,
        { headers: { authorization: `Bearer ${KEY}` } },
        { PARTITIONS: String(partitions) },
      )
    const queue = 'bull:whatsapp-jobs-2'
    await command('HSET', `${queue}:${moved}`, 'name', 'SEND_TEXT', 'data', JSON.stringify(text(sessionId).data))
    await command('LPUSH', `${queue}:active`, moved)
    expect(await (await ask(sessionId)).json()).toMatchObject({ id, sessionId, state: 'active' })
    expect((await ask(other)).status).toBe(404)

    await command('DEL', `${queue}:${moved}`, `${queue}:active`)
    const ended = [
      'sessionId',
      sessionId,
      'name',
      'SEND_TEXT',
      'state',
      'completed',
      'attempts',
      '1',
      'finishedAt',
      '1',
    ]
    await command('HSET', `kurir:receipt:whatsapp-jobs-2:${moved}`, ...ended)
    expect(await (await ask(sessionId)).json()).toMatchObject({ id, state: 'completed' })
  })

  it("leaves a mark where it was, which is nobody's job", async () => {
    const sessionId = newSession()
    const id = `mark-${sessionId}`
    await command('HSET', `${QUEUE}:${id}`, 'name', 'SEND_TEXT', 'kurir:forwarded', `from-0-${id}`)
    expect((await get(`/v1/sessions/${sessionId}/jobs/${id}`)).status).toBe(404)
  })

  it('of the same id in both queues is the one of the session', async () => {
    const [sessionId, other] = [sessionIn(2, partitions), sessionIn(2, partitions)]
    const id = `both-${sessionId}`
    await command(
      'HSET',
      `bull:whatsapp-jobs-2:${id}`,
      'name',
      'STOP_SESSION',
      'data',
      JSON.stringify({ sessionId: other }),
    )
    await command('HSET', `${QUEUE}:${id}`, 'name', 'SEND_TEXT', 'data', JSON.stringify(text(sessionId).data))
    const init = { headers: { authorization: `Bearer ${KEY}` } }
    const response = await send(`/v1/sessions/${sessionId}/jobs/${id}`, init, { PARTITIONS: String(partitions) })
    expect(await response.json()).toMatchObject({ name: 'SEND_TEXT' })
  })
})

describe('no job', () => {
  it.each(['wait', 'meta', 'events', 'marker', '999999999', 'a%2Fb', 'x'.repeat(257), '%00'])(
    'is what there is under %s',
    async id => {
      await posted(newSession())
      const response = await get(`/v1/sessions/${newSession()}/jobs/${id}`)
      expect(response.status).toBe(404)
      expect(await response.json()).toMatchObject({ code: 'JOB_NOT_FOUND' })
    },
  )

  it('is what another session sees, in the queue and in receipts', async () => {
    const sessionId = newSession()
    const id = await posted(sessionId)
    const gone = `mine-${sessionId}`
    const fields = [
      'sessionId',
      sessionId,
      'name',
      'SEND_TEXT',
      'state',
      'completed',
      'attempts',
      '1',
      'finishedAt',
      '1',
    ]
    await command('HSET', `kurir:receipt:whatsapp-jobs:${gone}`, ...fields)
    const answers = await Promise.all([id, gone].map(job => get(`/v1/sessions/${newSession()}/jobs/${job}`)))
    expect(answers.map(response => response.status)).toEqual([404, 404])
  })

  it('is what a receipt that cannot be read is', async () => {
    const sessionId = newSession()
    const fields = [
      'sessionId',
      sessionId,
      'name',
      'SEND_TEXT',
      'state',
      'completed',
      'attempts',
      '1',
      'finishedAt',
      '1',
    ]
    await command('HSET', `kurir:receipt:whatsapp-jobs:broken-${sessionId}`, ...fields, 'result', '{"key":')
    expect((await get(`/v1/sessions/${sessionId}/jobs/broken-${sessionId}`)).status).toBe(404)
  })

  it('is what data that is no JSON is', async () => {
    const id = `garbage-${newSession()}`
    await command('HSET', `${QUEUE}:${id}`, 'name', 'SEND_TEXT', 'data', '{"sessionId":')
    expect((await get(`/v1/sessions/a/jobs/${id}`)).status).toBe(404)
  })
})
