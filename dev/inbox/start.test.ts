import { randomBytes } from 'node:crypto'
import { afterEach, expect, it } from 'vitest'
import { importSecret, sign } from '../../shared/signature.ts'
import type { Inbox } from './inbox.ts'
import { startInbox } from './start.ts'

const secret = `whsec_${randomBytes(32).toString('base64')}`
let inbox: Inbox | undefined

afterEach(async () => {
  await inbox?.close()
})

async function start(): Promise<Inbox> {
  inbox = await startInbox({ secrets: [secret] })
  return inbox
}

async function deliver(url: string, body: string, { by = secret, id = 'msg_1', seq = 1 } = {}): Promise<Response> {
  const signature = await sign([await importSecret(by)], id, Math.floor(Date.now() / 1000), body)
  const headers = { ...signature, 'kurir-seq': String(seq), 'kurir-attempt': '1' }
  return fetch(url, { method: 'POST', body, headers })
}

function update(sessionId: string, data: object = { connection: 'open' }): string {
  return JSON.stringify({ event: 'connection.update', sessionId, timestamp: 1703839205, data })
}

it('keeps a signed event and tells who waits for it', async () => {
  const { url } = await start()
  const waiting = fetch(`${url}/events?session=demo&wait=5`)
  expect((await deliver(url, update('other'), { id: 'msg_0' })).status).toBe(204)
  expect((await deliver(url, update('demo'))).status).toBe(204)
  expect(await (await waiting).json()).toMatchObject({
    events: [{ n: 2, id: 'msg_1', seq: 1, attempt: 1, answered: 204, event: { sessionId: 'demo' } }],
  })
  expect(await (await fetch(url)).text()).toContain('demo #1 connection.update open')
})

it('refuses what is not signed with its secret, and reads nothing of it', async () => {
  const { url, arrivals } = await start()
  const other = `whsec_${randomBytes(32).toString('base64')}`
  expect((await deliver(url, update('demo'), { by: other })).status).toBe(401)
  expect((await fetch(url, { method: 'POST', body: update('demo') })).status).toBe(401)
  expect(arrivals()).toEqual([])
  expect(arrivals({ all: true })).toMatchObject([{ problem: 'NO_MATCHING_SIGNATURE' }, { problem: 'MISSING_HEADER' }])
})

it('knows the events of ended jobs', async () => {
  const { url } = await start()
  const common = { sessionId: 'demo', timestamp: 1703839205 }
  const data = { jobId: '7', name: 'SEND_TEXT', attempts: 1 }
  const error = { code: 'NOT_ON_WHATSAPP', message: 'no such number' }
  const events = [
    { event: 'job.completed', ...common, data: { ...data, result: {} } },
    { event: 'job.failed', ...common, data: { ...data, error } },
  ]
  for (const [i, event] of events.entries()) await deliver(url, JSON.stringify(event), { id: `msg_${i}` })
  const text = await (await fetch(url)).text()
  expect(text).toContain('demo #1 job.completed SEND_TEXT 7')
  expect(text).toContain('job.failed SEND_TEXT 7: NOT_ON_WHATSAPP no such number')
})

it('says so when a signed body is no event of the contract', async () => {
  const { url, arrivals } = await start()
  await deliver(url, '{"event":"surprise"}')
  const [arrival] = arrivals({ all: true })
  expect(arrival?.event).toBeUndefined()
  expect(arrival?.problem).toMatch(/^not an event/)
})

it('answers as it was told, for as many deliveries as it was told', async () => {
  const { url, arrivals } = await start()
  await fetch(`${url}/answers`, {
    method: 'POST',
    body: JSON.stringify({ status: 503, headers: { 'retry-after': '2' }, times: 1, session: 'demo' }),
  })
  expect((await deliver(url, update('other'))).status).toBe(204)
  const refused = await deliver(url, update('demo'))
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])
  expect((await deliver(url, update('demo'))).status).toBe(204)
  expect(arrivals({ session: 'demo' })).toHaveLength(1)
  expect(arrivals({ session: 'demo', all: true }).map(arrival => arrival.answered)).toEqual([503, 204])
})

it('cuts connections and goes down on demand', async () => {
  const running = await start()
  running.answerWith({ reset: true })
  await expect(deliver(running.url, update('demo'))).rejects.toThrow('fetch failed')
  running.answerNormally()
  await running.down()
  await expect(deliver(running.url, update('demo'))).rejects.toThrow('fetch failed')
  await running.up()
  expect((await deliver(running.url, update('demo'))).status).toBe(204)
})

it('lets no message drive the terminal', async () => {
  const { url } = await start()
  const messages = [{ key: { remoteJid: '1@lid', fromMe: false, id: 'A' }, pushName: '\u001b[2J', message: {} }]
  const data = { messages, type: 'notify' }
  await deliver(url, JSON.stringify({ event: 'messages.upsert', sessionId: 'demo', timestamp: 1, data }))
  const page = await (await fetch(url)).text()
  expect(page).toContain('messages.upsert ·[2J')
  expect(page).not.toContain('\u001b')
})
