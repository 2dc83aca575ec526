import { describe, expect, it } from 'vitest'
import { until } from '../dev/stack/until.ts'
import { keys } from '../shared/keys.ts'
import { QUEUE } from '../shared/partition.ts'
import { snapshot } from './snapshot.ts'
import { useHarness } from './stack.ts'

const use = useHarness()
const CONTACT = '6281234567890'

/** The states that a session went through, as its webhooks told. */
function connections(sessionId: string): string[] {
  return use()
    .inbox.arrivals({ session: sessionId })
    .flatMap(({ event }) => (event?.event === 'connection.update' ? event.data.connection : []))
}

/** How often the session was linked by a QR, as WhatsApp saw it. */
async function links(phone: string): Promise<number> {
  return (await use().simulator.log({ kind: 'linked', phone })).length
}

async function sendText(sessionId: string, text: string): Promise<void> {
  const { api } = use()
  const job = await api.post({ name: 'SEND_TEXT', data: { sessionId, to: CONTACT, text } })
  expect(await api.waitForEnd(job)).toMatchObject({ state: 'completed' })
}

describe('a session', () => {
  it('is opened by a QR and a text in one post', async () => {
    const { api, simulator } = use()
    const [, text] = await api.postAll([
      { name: 'START_SESSION', data: { sessionId: 'first' } },
      { name: 'SEND_TEXT', data: { sessionId: 'first', to: CONTACT, text: 'dari batch' } },
    ])
    if (text === undefined) throw new Error('the batch was answered with one job')
    expect(await api.waitForEnd(text)).toMatchObject({ state: 'completed' })
    expect(await simulator.received({ chat: CONTACT })).toMatchObject([{ text: 'dari batch' }])
    expect(await api.session('first')).toMatchObject({
      state: 'open',
      jid: expect.stringMatching(/@s\.whatsapp\.net$/),
    })
    await until('the webhooks', () => connections('first').includes('open'))
    expect(connections('first')[0]).toBe('connecting')
  })

  it('stops, refuses to send, and starts again without a QR', async () => {
    const { api, open } = use()
    const { phone } = await open('pausing')
    await api.waitForEnd(await api.post({ name: 'STOP_SESSION', data: { sessionId: 'pausing' } }))
    await api.waitForSession('pausing', 'stopped')
    const refused = await api.post({ name: 'SEND_TEXT', data: { sessionId: 'pausing', to: CONTACT, text: 'tidak' } })
    expect(await api.waitForEnd(refused)).toMatchObject({ state: 'failed', error: { code: 'SESSION_STOPPED' } })
    expect(await open('pausing')).toEqual({ phone })
    expect(await links(phone)).toBe(1)
    await sendText('pausing', 'lagi')
  })

  it('is linked by a pairing code', async () => {
    const { api, simulator } = use()
    const phoneNumber = '628777000111'
    await api.post({ name: 'START_SESSION', data: { sessionId: 'by-code', phoneNumber } })
    const code = await until('the code', async () => (await api.session('by-code'))?.pairingCode)
    await simulator.pairCode(phoneNumber, code)
    expect(await api.waitForSession('by-code', 'open')).toMatchObject({ jid: expect.stringContaining(phoneNumber) })
  })

  it('fails jobs for a session that was never started, or was unlinked on the phone', async () => {
    const { api, open, simulator } = use()
    const ghost = await api.post({ name: 'SEND_TEXT', data: { sessionId: 'ghost', to: CONTACT, text: 'siapa' } })
    expect(await api.waitForEnd(ghost)).toMatchObject({ state: 'failed', error: { code: 'SESSION_NOT_FOUND' } })
    const { phone } = await open('unlinked')
    await simulator.logout(phone)
    await api.waitForSession('unlinked', 'logged_out')
    const late = await api.post({ name: 'SEND_TEXT', data: { sessionId: 'unlinked', to: CONTACT, text: 'telat' } })
    expect(await api.waitForEnd(late)).toMatchObject({ state: 'failed', error: { code: 'SESSION_LOGGED_OUT' } })
  })

  it('is logged out and forgotten by DELETE_SESSION', async () => {
    const { api, open, redis, simulator } = use()
    const { phone } = await open('leaving')
    await sendText('leaving', 'selamat tinggal')
    const refused = { sessionId: 'leaving', to: '62800000000001', text: 'rahasia' }
    await simulator.numbers({ unregistered: [refused.to] })
    const failed = await api.post({ name: 'SEND_TEXT', data: refused })
    await api.waitForEnd(failed)
    expect(await redis.hget(`bull:${QUEUE}:${failed.id}`, 'data')).toContain('rahasia')
    const delayed = { name: 'SEND_TEXT', data: refused, opts: { delay: 3_600_000 } }
    const later = await api.post(delayed)
    const deletion = await api.post({ name: 'DELETE_SESSION', data: { sessionId: 'leaving' } })
    await api.waitForEnd(deletion)
    await simulator.waitForLog(1, { kind: 'logout', phone })
    // How the deletion, and what it ended, came out may still be looked up for a day. The one set of deleted sessions
    // names it for two.
    const expiring = [deletion.id, later.id].map(id => keys.receipt(QUEUE, id))
    for (const key of expiring) expect(await redis.ttl(key)).toBeGreaterThan(0)
    const known = new Set([...expiring, keys.deleted])
    const left = async () =>
      [...(await snapshot(redis))].flatMap(([key, value]) =>
        !known.has(key) && (key.includes('leaving') || /leaving|rahasia|selamat tinggal/.test(value))
          ? [`${key} ${value}`]
          : [],
      )
    await until('its keys to be gone', async () => (await left()).length === 0).catch(() => {})
    expect(await left()).toEqual([])
    expect(await api.status(later)).toMatchObject({ state: 'failed', error: { code: 'SESSION_NOT_FOUND' } })
    expect(await api.session('leaving')).toBeUndefined()
  })
})

describe('a worker that ends', () => {
  it.each(['stop', 'kill'] as const)(
    'loses nothing (%s): sessions come back and waiting jobs are sent once',
    async how => {
      const { api, open, simulator, stack } = use()
      const sessionId = `lasting-${how}`
      const { phone } = await open(sessionId)
      const texts = Array.from({ length: 10 }, (_, i) => `${how} ${i}`)
      const jobs = await api.postAll(
        texts.map(text => ({ name: 'SEND_TEXT', data: { sessionId, to: `62811${how.length}000222`, text } })),
      )
      await stack.workers.at(-1)?.[how]()
      await stack.startWorker()
      for (const job of jobs) expect(await api.waitForEnd(job, 40_000)).toMatchObject({ state: 'completed' })
      const received = await simulator.received({ phone, limit: 10_000 })
      expect(received.filter(({ duplicate }) => !duplicate).map(({ text }) => text)).toEqual(texts)
      expect(new Set(received.map(({ id }) => id)).size).toBe(texts.length)
      expect(await links(phone)).toBe(1)
    },
  )
})
