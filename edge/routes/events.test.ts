import { afterEach, describe, expect, it, vi } from 'vitest'
import { keys } from '../../shared/keys.ts'
import { command, get, KEY, newSession, post, send } from '../testing.ts'

/** What a deliverer leaves: events 1 to 5, of which 2 is parked, 3 is delivered, and 4 has failed twice. */
async function outbox(): Promise<string> {
  const sessionId = newSession()
  await command(
    'HSET',
    keys.cursor(sessionId),
    'seq',
    '5',
    'cursor',
    '3',
    'attempt',
    '2',
    'since',
    '1',
    'last',
    'evt_5',
  )
  for (const seq of [3, 4, 5]) {
    const body = '{"secret":"text"}'
    const fields = ['id', `evt_${seq}`, 'at', String(1_700_000_000_000 + seq), 'body', body]
    await command('XADD', keys.outbox(sessionId), `${seq}-0`, ...fields)
  }
  await park(sessionId, 2)
  return sessionId
}

async function park(sessionId: string, seq: number): Promise<void> {
  const record = {
    id: `evt_${seq}`,
    at: 1_700_000_000_000 + seq,
    parkedAt: 1_700_604_800_000,
    attempts: 36,
    reason: 'HTTP 500',
    body: '{"secret":"text \\u0000 \\ud83d\\ude00"}',
  }
  await command('HSET', keys.poison(sessionId), String(seq), JSON.stringify(record))
}

function operate(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const common = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...headers }
  return send(path, { method: 'POST', headers: common, body: typeof body === 'string' ? body : JSON.stringify(body) })
}

afterEach(() => vi.restoreAllMocks())

describe('the events of a session', () => {
  it('tell how the endpoint is', async () => {
    const sessionId = await outbox()
    await command('HSET', keys.endpoint, 'state', 'disabled', 'since', '1700000000000')
    const status = await (await get(`/v1/sessions/${sessionId}/events`)).json()
    expect(status).toMatchObject({ endpoint: { state: 'disabled', since: 1_700_000_000_000 } })
    await command('DEL', keys.endpoint)
  })

  it('are told of in one command, without their bodies', async () => {
    const sessionId = await outbox()
    const requests = vi.spyOn(globalThis, 'fetch')
    const response = await get(`/v1/sessions/${sessionId}/events`)
    const text = await response.text()
    expect(JSON.parse(text)).toEqual({
      sessionId,
      lastSeq: 5,
      cursor: 3,
      undelivered: 2,
      oldestUndelivered: { seq: 4, storedAt: 1_700_000_000_004, attempts: 2 },
      firstKeptSeq: 3,
      parkedCount: 1,
      parked: [
        {
          seq: 2,
          id: 'evt_2',
          reason: 'HTTP 500',
          attempts: 36,
          storedAt: 1_700_000_000_002,
          parkedAt: 1_700_604_800_000,
        },
      ],
    })
    expect(text).not.toContain('secret')
    // The first request after a start may have to send the script's text as well.
    requests.mockClear()
    await get(`/v1/sessions/${sessionId}/events`)
    expect(requests).toHaveBeenCalledOnce()
  })

  it('may all be delivered, and none kept', async () => {
    const sessionId = newSession()
    await command('HSET', keys.cursor(sessionId), 'seq', '12', 'cursor', '12')
    const response = await get(`/v1/sessions/${sessionId}/events`)
    expect(await response.json()).toEqual({
      sessionId,
      lastSeq: 12,
      cursor: 12,
      undelivered: 0,
      parkedCount: 0,
      parked: [],
    })
  })

  it('lists the oldest parked ones first, and not without end', async () => {
    const sessionId = newSession()
    await command('HSET', keys.cursor(sessionId), 'seq', '101', 'cursor', '101')
    for (let seq = 101; seq >= 1; seq--) await park(sessionId, seq)
    const status = await (await get(`/v1/sessions/${sessionId}/events`)).json<{ parked: { seq: number }[] }>()
    expect(status).toMatchObject({ parkedCount: 101 })
    expect(status.parked.map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
  })

  it.each(['nobody', 'a%2Fb', 'x'.repeat(65)])('that is not there are a 404: %s', async sessionId => {
    const response = await get(`/v1/sessions/${sessionId}/events`)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ code: 'SESSION_NOT_FOUND' })
  })
})

describe.each([
  ['replay', 'REPLAY_EVENTS', { fromSeq: 7 }],
  ['redrive', 'REDRIVE_EVENT', { seq: 7 }],
])('%s', (verb, name, body) => {
  it("is a job in the queue of the session's partition, with a status", async () => {
    const sessionId = newSession()
    const response = await operate(`/v1/sessions/${sessionId}/events/${verb}`, { ...body, sessionId: 'other' })
    expect(response.status).toBe(202)
    const accepted = await response.json<{ id: string; statusUrl: string }>()
    expect(accepted).toMatchObject({ name, sessionId, statusUrl: response.headers.get('location') })
    const job = await command('HMGET', `bull:whatsapp-jobs:${accepted.id}`, 'name', 'data')
    expect(job).toEqual([name, JSON.stringify({ sessionId, ...body })])
    const status = await get(new URL(accepted.statusUrl).pathname)
    expect(await status.json()).toMatchObject({ id: accepted.id, name, sessionId, state: 'waiting' })
  })

  it('is no job that a post may carry', async () => {
    const response = await post({ name, data: { sessionId: newSession(), ...body } })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'INVALID_REQUEST', errors: [{ code: 'UNKNOWN_JOB' }] })
  })

  const [field] = Object.keys(body)
  it.each([
    ['{}', 'MISSING_FIELD'],
    ['null', 'MISSING_FIELD'],
    [JSON.stringify({ [field ?? '']: 0 }), 'INVALID_FIELD'],
    [JSON.stringify({ [field ?? '']: '7' }), 'INVALID_FIELD'],
  ])('names what is wrong with %s', async (text, code) => {
    const response = await operate(`/v1/sessions/${newSession()}/events/${verb}`, text)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'INVALID_REQUEST', errors: [{ path: field, code }] })
  })

  it('takes no session id that cannot be', async () => {
    const response = await operate(`/v1/sessions/a%2Fb/events/${verb}`, body)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ code: 'SESSION_NOT_FOUND' })
  })

  it('is closed without a key', async () => {
    const path = `/v1/sessions/${newSession()}/events/${verb}`
    expect((await operate(path, body, { authorization: 'Bearer wrong' })).status).toBe(401)
  })
})
