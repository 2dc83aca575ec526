import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startTestSession, type TestSession } from '../../dev/testing/handler-session.ts'
import type { SessionJobName } from './handler.ts'

const BUDI = '628999000001'
const SITI = '628999000002'
const NOBODY = '628999000404'
const jid = (phone: string) => `${phone}@s.whatsapp.net`

let session: TestSession

beforeAll(async () => {
  session = await startTestSession()
})
afterAll(async () => session[Symbol.asyncDispose]())
beforeEach(async () => {
  await session.control.clearFaults()
})

const arrives = async (name: SessionJobName, data: Record<string, unknown>, id?: string) =>
  session.arrives(name, data, id)

describe('texts', () => {
  test('arrive, and the result is the key of the message', async () => {
    const { result, seen } = await arrives('SEND_TEXT', { to: jid(BUDI), text: 'Halo, ini pesan dari API!' })
    expect(result).toEqual({ key: { remoteJid: jid(BUDI), fromMe: true, id: seen.id } })
    expect(seen).toMatchObject({ text: 'Halo, ini pesan dari API!', chatPhone: BUDI })
    expect(seen.id).toMatch(/^3EB0[0-9A-F]{18}$/)
  })

  test('mention people', async () => {
    const { message } = await arrives('SEND_TEXT', { to: BUDI, text: `hi @${SITI}`, mentions: [SITI] })
    expect(message['extendedTextMessage']).toMatchObject({ contextInfo: { mentionedJid: [jid(SITI)] } })
  })

  test('fail for a number that is not on WhatsApp, and nothing is sent', async () => {
    await session.control.numbers({ unregistered: [NOBODY] })
    const sending = session.run('SEND_TEXT', { to: NOBODY, text: 'anyone?' })
    await expect(sending).rejects.toMatchObject({ code: 'NOT_ON_WHATSAPP', retry: 'never' })
    expect(await session.control.received({ chat: NOBODY })).toEqual([])
  })

  test('a repeat of the job is the same message', async () => {
    const first = await session.run('SEND_TEXT', { to: jid(BUDI), text: 'once' }, { id: 'again' })
    const second = await session.run('SEND_TEXT', { to: jid(BUDI), text: 'once' }, { id: 'again', attempt: 2 })
    expect(second).toEqual(first)
    const seen = await session.control.received({ id: first.key?.id ?? '' })
    expect(seen.map(({ duplicate, text }) => [duplicate, text])).toEqual([
      [false, 'once'],
      [true, 'once'],
    ])
  })

  test('an error ack fails the job with its code', async () => {
    await session.control.fault({ kind: 'error-ack', code: 479, count: 1 } as never)
    const sending = session.run('SEND_TEXT', { to: jid(BUDI), text: 'refused' })
    await expect(sending).rejects.toMatchObject({
      code: 'WHATSAPP_REFUSED',
      retry: 'never',
      message: expect.stringContaining('479'),
    })
  })
})

describe('replies and reactions', () => {
  const key = { remoteJid: jid(BUDI), fromMe: false, id: 'BAE5ABCDEF' }

  test('quote with the message', async () => {
    const message = {
      extendedTextMessage: { text: 'what do you think?', contextInfo: { stanzaId: 'older' } },
      messageContextInfo: { messageSecret: 'AQID' },
    }
    const { message: seen } = await arrives('SEND_REPLY', { to: jid(BUDI), text: 'yes', quoted: { key, message } })
    expect(seen['extendedTextMessage']).toMatchObject({
      text: 'yes',
      contextInfo: {
        stanzaId: key.id,
        participant: jid(BUDI),
        quotedMessage: { extendedTextMessage: { text: 'what do you think?' } },
      },
    })
    expect(JSON.stringify(seen)).not.toContain('older')
  })

  test('quote without the message', async () => {
    const { message } = await arrives('SEND_REPLY', { to: jid(BUDI), text: 'yes', quoted: { key } })
    expect(message['extendedTextMessage']).toMatchObject({
      text: 'yes',
      contextInfo: { stanzaId: key.id, participant: jid(BUDI) },
    })
  })

  test('quote our own message with what we sent', async () => {
    const { result } = await arrives('SEND_TEXT', { to: jid(BUDI), text: 'mine' })
    const { message } = await arrives('SEND_REPLY', { to: jid(BUDI), text: 'again', quoted: { key: result.key } })
    expect(message['extendedTextMessage']).toMatchObject({
      contextInfo: {
        participant: jid(session.phone),
        quotedMessage: { extendedTextMessage: { text: 'mine' } },
      },
    })
  })

  test.each([
    ['no object where one belongs', { imageMessage: 5 }],
    ['bytes that say how long they are', { imageMessage: { mediaKey: { length: 1e9 } } }],
    ['much text', { conversation: 'x'.repeat(3_000_000) }],
  ])('refuse a quoted message with %s', async (_what, message) => {
    const sending = session.run('SEND_REPLY', { to: jid(BUDI), text: 'yes', quoted: { key, message } })
    await expect(sending).rejects.toMatchObject({ code: 'INVALID_JOB', retry: 'never' })
  })

  test('react and take the reaction back', async () => {
    const { message } = await arrives('SEND_REACTION', { to: jid(BUDI), key, emoji: '👍' })
    expect(message['reactionMessage']).toMatchObject({ key: { id: key.id, remoteJid: key.remoteJid }, text: '👍' })
    const removed = await arrives('SEND_REACTION', { to: jid(BUDI), key: { remoteJid: BUDI, id: key.id }, emoji: '' })
    expect(removed.message['reactionMessage']).toMatchObject({ key: { id: key.id }, text: '' })
    expect(removed.seen.attrs['type']).toBe('reaction')
  })
})

describe('places and contacts', () => {
  test('a place is shown with its name and address', async () => {
    const place = { latitude: -6.1754, longitude: 106.8272, name: 'Monas', address: 'Jakarta' }
    const { message } = await arrives('SEND_LOCATION', { to: jid(BUDI), ...place })
    expect(message['locationMessage']).toMatchObject({
      degreesLatitude: -6.1754,
      degreesLongitude: 106.8272,
      name: 'Monas',
      address: 'Jakarta',
    })
  })

  test('a contact is a card, in which no name can begin a line of its own', async () => {
    const contacts = [{ name: 'Budi; S\nTEL:+1', phoneNumber: '+62 855-5555-5555', organization: 'PT, Maju' }]
    const { message } = await arrives('SEND_CONTACT', { to: jid(BUDI), contacts })
    expect(message['contactMessage']?.['displayName']).toBe(contacts[0]?.name)
    expect(String(message['contactMessage']?.['vcard']).split('\r\n')).toEqual([
      'BEGIN:VCARD',
      'VERSION:3.0',
      String.raw`N:;Budi\; S\nTEL:+1;;;`,
      String.raw`FN:Budi\; S\nTEL:+1`,
      String.raw`ORG:PT\, Maju`,
      'TEL;type=CELL;type=VOICE;waid=6285555555555:+6285555555555',
      'END:VCARD',
    ])
  })

  test('several contacts go in one message', async () => {
    const contacts = ['Budi', 'Siti'].map(name => ({ name, phoneNumber: BUDI }))
    const { message } = await arrives('SEND_CONTACT', { to: jid(BUDI), contacts })
    expect(message['contactsArrayMessage']).toMatchObject({
      contacts: [{ displayName: 'Budi' }, { displayName: 'Siti' }],
    })
  })
})

describe('polls', () => {
  test.each([
    [0, 'pollCreationMessage'],
    [1, 'pollCreationMessageV3'],
    [2, 'pollCreationMessage'],
  ])('with selectableCount %i', async (selectableCount, type) => {
    const options = ['Senin', 'Selasa', 'Rabu']
    const poll = { to: jid(BUDI), name: 'Kapan kita meeting?', options, selectableCount }
    const { message, seen } = await arrives('SEND_POLL', poll)
    expect(message[type]).toMatchObject({ name: poll.name, options: options.map(optionName => ({ optionName })) })
    expect(message[type]?.['selectableOptionsCount'] ?? 0).toBe(selectableCount)
    expect(message['messageContextInfo']?.['messageSecret']).toBeDefined()
    expect(seen.attrs['type']).toBe('poll')
  })

  test('keep their secret in a repeat', async () => {
    const poll = { to: jid(BUDI), name: 'Twice?', options: ['yes', 'no'] }
    const { result } = await arrives('SEND_POLL', poll, 'poll-twice')
    await session.run('SEND_POLL', poll, { id: 'poll-twice', attempt: 2 })
    const [first, second] = await session.control.waitForReceived(2, { id: result.key?.id ?? '' })
    expect(second?.message).toEqual(first?.message)
  })
})
