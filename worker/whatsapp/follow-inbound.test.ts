import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestClient, linkByQr } from '../../dev/testing/baileys-client.ts'
import { until } from '../../dev/stack/until.ts'
import { startTestSession, type TestSession } from '../../dev/testing/handler-session.ts'
import { webhookEvent } from '../../shared/events.ts'
import type { MessageJson, MessagesUpsert } from './event-json.ts'

const BUDI = '628999000001'
const SITI = '628999000002'
const jid = (phone: string) => `${phone}@s.whatsapp.net`

let session: TestSession

beforeAll(async () => {
  session = await startTestSession()
})
afterAll(async () => session[Symbol.asyncDispose]())
beforeEach(() => {
  session.events.length = 0
})
afterEach(() => {
  session.gate.append = undefined
})

const upserts = () => session.events.map(event => webhookEvent.parse(event) as MessagesUpsert)
const wordsOf = ({ message }: MessageJson) => message?.['conversation'] ?? text(message?.['extendedTextMessage'])
const text = (part: unknown) => (part as { text?: string } | undefined)?.text
const words = () => upserts().flatMap(({ data }) => data.messages.map(wordsOf))

async function arrived(wanted: string): Promise<{ event: MessagesUpsert; message: MessageJson }> {
  return until(`an event of ${wanted}`, () => {
    const event = upserts().find(({ data }) => data.messages.some(message => wordsOf(message) === wanted))
    const message = event?.data.messages[0]
    return event !== undefined && message !== undefined && { event, message }
  })
}

const receipts = async (id: string) => session.control.log({ kind: 'frame', tag: 'receipt' }).then(of(id))
const of = (id: string) => (lines: { id?: string }[]) => lines.filter(line => line.id === id)

describe('messages that come in', () => {
  test('are events of the contract', async () => {
    const { id } = await session.control.sendText(BUDI, session.phone, 'Halo bot!')
    const { event, message } = await arrived('Halo bot!')
    expect(event).toMatchObject({ event: 'messages.upsert', sessionId: 'user-123', data: { type: 'notify' } })
    expect(Math.abs(event.timestamp - Date.now() / 1000)).toBeLessThan(10)
    expect(message.key).toMatchObject({ remoteJid: jid(BUDI), fromMe: false, id })
    expect(message.key['remoteJidAlt']).toMatch(/@lid$/)
    expect(message.pushName).toBeTypeOf('string')
  })

  test('have their bytes as base64', async () => {
    const file = { kind: 'image', data: Buffer.from('picture'), mimetype: 'image/jpeg', caption: 'look' } as const
    await session.control.sendMedia(BUDI, session.phone, file)
    const [event] = await until('the image', () => upserts().length > 0 && upserts())
    const image = event?.data.messages[0]?.message?.['imageMessage'] as Record<string, unknown>
    expect(image).toMatchObject({ caption: 'look', fileLength: 7 })
    expect(Buffer.from(String(image['mediaKey']), 'base64')).toHaveLength(32)
  })

  test('name the author in a group, and hold no sender key', async () => {
    const { jid: group } = await session.control.createGroup(BUDI, 'Talk', [session.phone, SITI])
    await session.control.sendText(SITI, group, 'in the group')
    const { message } = await arrived('in the group')
    expect(message.key).toMatchObject({ remoteJid: group, participant: jid(SITI), fromMe: false })
    expect(JSON.stringify(session.events)).not.toContain('senderKey')
  })

  test('that the user writes elsewhere are events too', async () => {
    const other = createTestClient(session.waUrl)
    await linkByQr(other, session.control, session.phone)
    await other.socket.sendMessage(jid(BUDI), { text: 'from my phone' })
    const { message } = await arrived('from my phone')
    expect(message.key).toMatchObject({ remoteJid: jid(BUDI), fromMe: true })
    await other.end()
  })

  test('are no echo of what we send', async () => {
    await session.run('SEND_TEXT', { to: jid(BUDI), text: 'ours' })
    await session.control.sendText(BUDI, session.phone, 'theirs')
    await arrived('theirs')
    expect(words()).toEqual(['theirs'])
  })

  test('that waited come as append, in order', async () => {
    await session.client.end()
    for (const n of [1, 2, 3]) await session.control.sendText(BUDI, session.phone, `away ${n}`)
    await session.reconnect()
    const { event } = await arrived('away 3')
    expect(event.data.type).toBe('append')
    expect(words()).toEqual(['away 1', 'away 2', 'away 3'])
  })
})

describe('a message is not lost between WhatsApp and the outbox', () => {
  test('its receipt waits for the append, and so does what is written after it', async () => {
    let append = () => {}
    session.gate.append = new Promise(resolve => (append = resolve))
    const { id } = await session.control.sendText(BUDI, session.phone, 'hold the receipt')
    await session.client.on('messages.upsert', ({ messages }) => messages.some(({ key }) => key.id === id) || undefined)
    const sending = session.run('SEND_TEXT', { to: jid(BUDI), text: 'later' }, { id: 'later' })
    // The simulator answers in about a millisecond; what has not come in a hundred times that was not written.
    const early = session.control.received({ chat: BUDI, count: 100, wait: 100 })
    expect((await early).filter(({ text: sent }) => sent === 'later')).toEqual([])
    expect(await receipts(id)).toEqual([])
    append()
    await sending
    await until('the receipt', async () => (await receipts(id)).length > 0)
    expect(words()).toEqual(['hold the receipt'])
  })

  test.each([
    ['the first of a contact', '628999000077'],
    ['one of many', BUDI],
  ])('a crash before the append brings it again: %s', async (_which, from) => {
    session.gate.append = new Promise(() => {})
    const { id } = await session.control.sendText(from, session.phone, `crash ${from}`)
    await session.client.on('messages.upsert', ({ messages }) => messages.some(({ key }) => key.id === id) || undefined)
    expect(words()).toEqual([])
    session.gate.append = undefined
    await session.restart()
    const { message } = await arrived(`crash ${from}`)
    expect(message.key.id).toBe(id)
  })

  test('a socket that closes waits for what it brought', async () => {
    let append = () => {}
    session.gate.append = new Promise(resolve => (append = resolve))
    const { id } = await session.control.sendText(BUDI, session.phone, 'just before the close')
    await session.client.on('messages.upsert', ({ messages }) => messages.some(({ key }) => key.id === id) || undefined)
    const closing = session.reconnect()
    await session.client.on('connection.update', ({ connection }) => connection === 'close' || undefined)
    expect(words()).toEqual([])
    append()
    await closing
    expect(words()).toEqual(['just before the close'])
  })

  test('a message that Baileys cannot handle does not hold the others up', async () => {
    const bad = { reactionMessage: { text: 'x' } }
    await session.control.sendMessage(BUDI, session.phone, bad)
    await session.run('SEND_TEXT', { to: jid(BUDI), text: 'still going' })
    await session.control.sendText(BUDI, session.phone, 'after it')
    expect((await arrived('after it')).event.data.type).toBe('notify')
  })
})
