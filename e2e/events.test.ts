import { expect, it } from 'vitest'
import * as z from 'zod'
import type { Arrival } from '../dev/inbox/arrival.ts'
import { until } from '../dev/stack/until.ts'
import { keys } from '../shared/keys.ts'
import { accepted, type Accepted } from './api.ts'
import { useHarness } from './stack.ts'

const use = useHarness({ given: { worker: { LOG_LEVEL: 'debug', JOB_EVENTS: 'on' } } })
const CONTACT = '6281234567890'
const DAY_MS = 24 * 60 * 60 * 1000

const eventsStatus = z.object({
  lastSeq: z.number(),
  cursor: z.number(),
  undelivered: z.number(),
  oldestUndelivered: z.object({ seq: z.number(), storedAt: z.number(), attempts: z.number() }).optional(),
  firstKeptSeq: z.number().optional(),
  parkedCount: z.number(),
  parked: z.array(z.object({ seq: z.number(), id: z.string(), reason: z.string(), attempts: z.number() })),
})

function headers() {
  return { authorization: `Bearer ${use().stack.apiKey}`, 'content-type': 'application/json' }
}

/** How the delivery of a session's events stands, as the edge tells it. */
async function eventsOf(sessionId: string): Promise<z.infer<typeof eventsStatus>> {
  const response = await fetch(`${use().stack.edge}/v1/sessions/${sessionId}/events`, { headers: headers() })
  return eventsStatus.parse(await response.json())
}

/** Asks for a replay or a redrive over the edge. */
async function operate(sessionId: string, verb: 'replay' | 'redrive', body: object): Promise<Accepted> {
  const url = `${use().stack.edge}/v1/sessions/${sessionId}/events/${verb}`
  const response = await fetch(url, { method: 'POST', headers: headers(), body: JSON.stringify(body) })
  expect(response.status).toBe(202)
  return accepted.parse(await response.json())
}

/** Waits until the receiver has all events of a session, and answers how they arrived. */
async function delivered(sessionId: string): Promise<Arrival[]> {
  await until('all events to be delivered', async () => (await eventsOf(sessionId)).undelivered === 0)
  return use().inbox.arrivals({ session: sessionId })
}

const text = (sessionId: string, to = CONTACT) => ({ name: 'SEND_TEXT', data: { sessionId, to, text: 'halo' } })

it('tells how jobs ended, in order with the rest, when it is asked to', async () => {
  const { api, open } = use()
  await open('reporting')
  const sent = await api.post(text('reporting'))
  const { result } = await api.waitForEnd(sent)
  const refused = await api.post({ ...text('reporting', '120363000000000009@g.us') })
  const { error } = await api.waitForEnd(refused)
  const stopped = await api.post({ name: 'STOP_SESSION', data: { sessionId: 'reporting' } })
  await api.waitForEnd(stopped)
  const arrivals = await delivered('reporting')
  expect(arrivals.map(({ seq }) => seq)).toEqual(arrivals.map((_, i) => i + 1))
  const events = arrivals.map(({ event }) => event)
  expect(events.slice(-4)).toMatchObject([
    { event: 'job.completed', data: { jobId: sent.id, name: 'SEND_TEXT', attempts: 1, result } },
    { event: 'job.failed', data: { jobId: refused.id, name: 'SEND_TEXT', attempts: 1, error } },
    { event: 'connection.update', data: { connection: 'close' } },
    { event: 'job.completed', data: { jobId: stopped.id, name: 'STOP_SESSION', attempts: 1, result: {} } },
  ])
  expect(events.find(event => event?.event === 'job.completed')).toMatchObject({ data: { name: 'START_SESSION' } })
})

it('tells of a job whose session never was, and keeps nothing of that session', async () => {
  const { api, inbox, redis } = use()
  const job = await api.post(text('nobody'))
  expect(await api.waitForEnd(job)).toMatchObject({ error: { code: 'SESSION_NOT_FOUND' } })
  const arrival = await inbox.wait('the failure', ({ event }) => event?.sessionId === 'nobody')
  expect(arrival.event).toMatchObject({ event: 'job.failed', data: { error: { code: 'SESSION_NOT_FOUND' } } })
  const kept = [keys.cursor('nobody'), keys.outbox('nobody'), keys.session('nobody')]
  await until('the outbox to go', async () => (await redis.exists(...kept)) === 0)
})

it('sends again what a receiver had taken, from the seq it asks for, under the same ids', async () => {
  const { api, open, simulator } = use()
  const { phone } = await open('replaying')
  for (const word of ['satu', 'dua', 'tiga']) await simulator.sendText(CONTACT, phone, word)
  await until('the messages', async () => messages(await delivered('replaying')) === 3)
  const first = await delivered('replaying')
  const { lastSeq, firstKeptSeq } = await eventsOf('replaying')
  expect([lastSeq, firstKeptSeq]).toEqual([first.length, 1])
  const fromSeq = lastSeq - 2
  const status = await api.waitForEnd(await operate('replaying', 'replay', { fromSeq }))
  expect(status).toMatchObject({ name: 'REPLAY_EVENTS', state: 'completed', result: { replayed: 3 } })
  const again = (await delivered('replaying')).slice(first.length)
  const facts = ({ id, seq, event }: Arrival) => ({ id, seq, event })
  expect(again.map(facts)).toEqual(first.slice(fromSeq - 1).map(facts))
  expect(await api.waitForEnd(await operate('unheard-of', 'replay', { fromSeq: 1 }))).toMatchObject({
    state: 'failed',
    error: { code: 'SESSION_NOT_FOUND' },
  })
})

it('parks an event that a receiver refuses for a week, and sends it again when a person asks', async () => {
  const { api, inbox, open, redis, simulator } = use()
  const { phone } = await open('refused')
  await delivered('refused')
  // Long enough to change its age between two attempts.
  inbox.answerWith({ status: 500, headers: { 'retry-after': '6' }, session: 'refused' })
  await simulator.sendText(CONTACT, phone, 'racun')
  await until('its first attempt', async () => (await eventsOf('refused')).oldestUndelivered?.attempts === 1)
  const { oldestUndelivered } = await eventsOf('refused')
  const seq = oldestUndelivered?.seq ?? 0
  expect(oldestUndelivered?.storedAt).toBeGreaterThan(Date.now() - 60_000)
  // The week that it takes otherwise.
  await redis.hset(keys.cursor('refused'), 'since', Date.now() - 8 * DAY_MS)
  await until('it to be parked', async () => (await eventsOf('refused')).parkedCount === 1)
  const { parked } = await eventsOf('refused')
  expect(parked).toMatchObject([{ seq, reason: 'HTTP 500', attempts: 2 }])
  inbox.answerNormally()
  const status = await api.waitForEnd(await operate('refused', 'redrive', { seq }))
  const { lastSeq } = await eventsOf('refused')
  expect(status).toMatchObject({ name: 'REDRIVE_EVENT', state: 'completed', result: { seq: lastSeq } })
  const arrival = (await delivered('refused')).at(-1)
  expect(arrival).toMatchObject({ id: parked[0]?.id, seq: lastSeq, event: { event: 'messages.upsert' } })
  expect(await eventsOf('refused')).toMatchObject({ parkedCount: 0, parked: [] })
  expect(await api.waitForEnd(await operate('refused', 'redrive', { seq: 1 }))).toMatchObject({
    error: { code: 'EVENT_NOT_PARKED' },
  })
})

it('tells of each job once and in order, though the worker dies meanwhile', async () => {
  const { api, inbox, open, stack } = use()
  await open('crashing')
  const told = () => {
    const ids = new Map<string, string>()
    for (const { id, event } of inbox.arrivals({ session: 'crashing' })) {
      if (event?.event === 'job.completed' && event.data.name === 'SEND_TEXT') ids.set(id ?? '', event.data.jobId)
    }
    return [...ids.values()]
  }
  const jobs = await api.postAll(Array.from({ length: 60 }, () => text('crashing')))
  await until('some to have ended', () => told().length >= 10, { everyMs: 2 })
  await stack.workers.at(-1)?.kill()
  await stack.startWorker()
  await Promise.all(jobs.map(job => api.waitForEnd(job, 30_000)))
  await delivered('crashing')
  expect(told()).toEqual(jobs.map(({ id }) => id))
})

function messages(arrivals: readonly Arrival[]): number {
  return arrivals.filter(({ event }) => event?.event === 'messages.upsert').length
}
