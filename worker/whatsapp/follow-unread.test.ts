import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../../dev/stack/until.ts'
import { startTestSession, type TestSession } from '../../dev/testing/handler-session.ts'
import type { RawStanza } from '../../dev/simulator/client.ts'
import { updateEvent } from '../../shared/events.ts'

const BUDI = '628999000001'
const STRANGER = '628999000009'
const jid = (phone: string) => `${phone}@s.whatsapp.net`
/** Long enough for the simulated contact to send a message again. */
const UNREAD_MS = 1500

let session: TestSession
const reasons: string[] = []

beforeAll(async () => {
  const onUnread = (reason: string) => void reasons.push(reason)
  session = await startTestSession({ told: ['messages.undecryptable'], unreadMs: UNREAD_MS, onUnread })
})
afterAll(async () => session[Symbol.asyncDispose]())
beforeEach(() => {
  session.events.length = 0
  session.updates.length = 0
  reasons.length = 0
})
afterEach(async () => {
  session.gate.append = undefined
  await session.control.clearFaults()
})

const told = () =>
  session.updates.map(event => updateEvent.parse(event).data as { key: { id: string }; reason: string })
const toldOf = async (id: string) =>
  until(`what is told of ${id}`, () => told().find(({ key }) => key.id === id), { timeoutMs: 10_000 })
/** The receipts and acks with which WhatsApp forgets the message. */
const receiptsOf = async (id: string) =>
  (await session.control.log({ kind: 'frame' })).filter(
    line => line.id === id && (line.tag === 'receipt' || line.tag === 'ack'),
  )

function stanza(id: string, content: RawStanza[], attrs: Record<string, string> = {}): RawStanza {
  const t = String(Math.floor(Date.now() / 1000))
  return { tag: 'message', attrs: { id, from: jid(STRANGER), t, type: 'text', ...attrs }, content }
}

const junk: RawStanza = { tag: 'enc', attrs: { v: '2', type: 'msg' }, content: Buffer.alloc(80, 7).toString('base64') }

describe('a message that cannot be decrypted', () => {
  test('and is sent again is a message, and nothing else is told', async () => {
    await session.control.fault({ kind: 'garble', phone: session.phone, count: 1 })
    const { id } = await session.control.sendText(BUDI, session.phone, 'at the second time')
    await until('the message', () => session.events.length > 0)
    expect(session.events[0]?.data).toMatchObject({ messages: [{ key: { id } }] })
    expect([told(), reasons]).toEqual([[], []])
  })

  test('is told of when it was asked for as often as Baileys does, once', async () => {
    await session.control.fault({ kind: 'garble', phone: session.phone })
    const { id } = await session.control.sendText(BUDI, session.phone, 'never')
    expect(await toldOf(id)).toMatchObject({ key: { remoteJid: jid(BUDI), fromMe: false, id } })
    await session.control.clearFaults()
    await session.control.sendText(BUDI, session.phone, 'after it')
    await until('the message', () => session.events.length > 0)
    expect(told()).toHaveLength(1)
    expect(reasons).toEqual([told()[0]?.reason])
  })

  test('is told of when nobody sends it again, also after a crash', async () => {
    await session.control.stanza(session.phone, stanza('JUNK1', [junk]))
    await until('the question', async () => (await receiptsOf('JUNK1')).length > 0)
    expect(told()).toEqual([])
    await session.restart()
    expect(await toldOf('JUNK1')).toMatchObject({ key: { remoteJid: jid(STRANGER) }, reason: 'no_session' })
    expect(reasons).toEqual(['no_session'])
  })
})

describe('an empty message', () => {
  test('that is to be seen once is told of before WhatsApp has its receipt', async () => {
    let append = () => {}
    session.gate.append = new Promise(resolve => (append = resolve))
    const unavailable = { tag: 'unavailable', attrs: { type: 'view_once' } }
    await session.control.stanza(session.phone, stanza('ONCE1', [unavailable]))
    await session.client.on(
      'messages.upsert',
      ({ messages }) => messages.some(({ key }) => key.id === 'ONCE1') || undefined,
    )
    expect(await receiptsOf('ONCE1')).toEqual([])
    append()
    expect(await toldOf('ONCE1')).toMatchObject({ reason: 'view_once' })
    await until('the receipt', async () => (await receiptsOf('ONCE1')).length > 0)
  })

  test.each([
    ['hosted', [{ tag: 'unavailable', attrs: { type: 'hosted_unavailable_fanout' } }]],
    ['bot', [{ tag: 'enc', attrs: { v: '2', type: 'msmsg' }, content: 'AAAA' }]],
  ])('that only the phone has is told of at once: %s', async (reason, content) => {
    await session.control.stanza(session.phone, stanza(`EMPTY-${reason}`, content))
    expect(await toldOf(`EMPTY-${reason}`)).toMatchObject({ reason })
    expect(reasons).toEqual([reason])
  })

  test('that the phone is asked for is told of when it does not answer', async () => {
    await session.control.stanza(session.phone, stanza('AD1', []))
    expect(await toldOf('AD1')).toMatchObject({ reason: 'phone_only' })
  })

  test('between our own devices is nothing to tell', async () => {
    await session.control.stanza(session.phone, stanza('PEER1', [junk], { category: 'peer', from: jid(session.phone) }))
    await session.control.stanza(
      session.phone,
      stanza('EMPTY2', [{ tag: 'unavailable', attrs: { type: 'view_once' } }]),
    )
    await toldOf('EMPTY2')
    expect(reasons).toEqual(['view_once'])
  })
})
