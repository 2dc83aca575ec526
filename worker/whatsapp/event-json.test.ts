import { proto, type WAMessage } from '@whiskeysockets/baileys'
import { describe, expect, test } from 'vitest'
import { isForUser, messageJson, snapshot } from './event-json.ts'

const me = { id: '628110000001:3@s.whatsapp.net', lid: '900000000001:3@lid' }
const unknown = async () => null

const json = async (message: WAMessage, find: (lid: string) => Promise<string | null> = unknown) =>
  messageJson(snapshot(message), me, find)

const text = (key: Partial<WAMessage['key']>): WAMessage => ({
  key: { remoteJid: '628999000001@s.whatsapp.net', fromMe: false, id: 'A', ...key },
  message: proto.Message.create({ conversation: 'hello' }),
})

describe('messageJson', () => {
  test("is the contract's example", async () => {
    const message = { ...text({}), pushName: 'Budi' }
    expect(await json(message)).toEqual({
      key: { remoteJid: '628999000001@s.whatsapp.net', fromMe: false, id: 'A' },
      message: { conversation: 'hello' },
      pushName: 'Budi',
    })
  })

  test('writes bytes as base64 and 64-bit numbers as numbers while they are safe', async () => {
    // fromObject makes the 64-bit objects that decoding makes.
    const { message = null, messageTimestamp = null } = proto.WebMessageInfo.fromObject({
      key: {},
      messageTimestamp: '7',
      message: {
        imageMessage: { mediaKey: 'AQID', fileLength: '12345678901', mediaKeyTimestamp: '9223372036854775807' },
      },
    })
    expect(JSON.parse(JSON.stringify(await json({ ...text({}), message, messageTimestamp })))).toMatchObject({
      message: {
        imageMessage: { mediaKey: 'AQID', fileLength: 12_345_678_901, mediaKeyTimestamp: '9223372036854775807' },
      },
      messageTimestamp: 7,
    })
  })

  test('is what the message was when it was taken', async () => {
    const message = text({})
    const taken = snapshot(message)
    message.key.id = 'changed'
    if (message.message) message.message.conversation = 'changed'
    expect(await messageJson(taken, me, unknown)).toMatchObject({
      key: { id: 'A' },
      message: { conversation: 'hello' },
    })
  })

  test('leaves out the lists that nobody filled', async () => {
    const bytes = proto.Message.encode({
      extendedTextMessage: { text: 'x', contextInfo: { isForwarded: true } },
    }).finish()
    const { message } = await json({ ...text({}), message: proto.Message.decode(bytes) })
    expect(message).toEqual({ extendedTextMessage: { text: 'x', contextInfo: { isForwarded: true } } })
  })

  test('keeps the sender key of a group to itself', async () => {
    const message = {
      ...text({}),
      message: {
        conversation: 'x',
        senderKeyDistributionMessage: { groupId: 'g', axolotlSenderKeyDistributionMessage: Buffer.from('key') },
      },
    }
    expect(await json(message)).toMatchObject({ message: { conversation: 'x' } })
    expect(JSON.stringify(await json(message))).not.toContain('senderKey')
  })

  test.each<[string, Partial<WAMessage['key']>, Record<string, unknown>]>([
    [
      'a chat by LID',
      { remoteJid: '900000000009@lid', remoteJidAlt: '628999000001@s.whatsapp.net' },
      { remoteJid: '628999000001@s.whatsapp.net', remoteJidAlt: '900000000009@lid' },
    ],
    [
      'a chat by number with its LID',
      { remoteJidAlt: '900000000009@lid' },
      { remoteJid: '628999000001@s.whatsapp.net', remoteJidAlt: '900000000009@lid' },
    ],
    ['a LID that nobody knows', { remoteJid: '900000000404@lid' }, { remoteJid: '900000000404@lid' }],
    [
      'a LID that was learnt',
      { remoteJid: '900000000009@lid' },
      { remoteJid: '628999000009@s.whatsapp.net', remoteJidAlt: '900000000009@lid' },
    ],
    [
      'our own message, with our own number beside it',
      { remoteJid: '900000000009@lid', remoteJidAlt: '628110000001@s.whatsapp.net', fromMe: true },
      { remoteJid: '628999000009@s.whatsapp.net', remoteJidAlt: '900000000009@lid', fromMe: true },
    ],
    [
      'our own chat with ourselves',
      { remoteJid: '900000000001@lid', remoteJidAlt: '628110000001@s.whatsapp.net', fromMe: true },
      { remoteJid: '628110000001@s.whatsapp.net', remoteJidAlt: '900000000001@lid', fromMe: true },
    ],
    [
      'a group',
      { remoteJid: '120363@g.us', participant: '900000000009:2@lid', participantAlt: '628999000001@s.whatsapp.net' },
      { remoteJid: '120363@g.us', participant: '628999000001@s.whatsapp.net', participantAlt: '900000000009@lid' },
    ],
    ['an empty participant', { participant: '' }, { remoteJid: '628999000001@s.whatsapp.net' }],
    [
      'somebody with a user name and no number',
      { remoteJid: '900000000404@lid', remoteJidUsername: 'budi' },
      { remoteJid: '900000000404@lid', remoteJidUsername: 'budi' },
    ],
    [
      'a post of a channel',
      { remoteJid: '1203@newsletter', server_id: '77' },
      { remoteJid: '1203@newsletter', server_id: '77' },
    ],
  ])('names people by number: %s', async (_case, key, expected) => {
    const find = async (lid: string) => (lid === '900000000009@lid' ? '628999000009:0@s.whatsapp.net' : null)
    expect((await json(text(key), find)).key).toEqual({ fromMe: false, id: 'A', ...expected })
  })
})

describe('isForUser', () => {
  const { Type } = proto.Message.ProtocolMessage
  const of = (message: proto.IMessage | null, more: Partial<WAMessage> = {}) =>
    isForUser({ ...text({}), message, ...more })

  test('takes content', () => {
    expect(of({ conversation: 'x' })).toBe(true)
    expect(of({ ephemeralMessage: { message: { imageMessage: {} } } })).toBe(true)
    expect(of({ reactionMessage: { text: '' } })).toBe(true)
    expect(of({ conversation: 'x', senderKeyDistributionMessage: { groupId: 'g' } })).toBe(true)
    expect(of({ protocolMessage: { type: Type.REVOKE } })).toBe(true)
    expect(of({ protocolMessage: { type: Type.MESSAGE_EDIT } })).toBe(true)
  })

  test('leaves out stubs, keys and housekeeping', () => {
    expect(of(null)).toBe(false)
    expect(of({})).toBe(false)
    expect(of({ senderKeyDistributionMessage: { groupId: 'g' } })).toBe(false)
    expect(of({ protocolMessage: { type: Type.APP_STATE_SYNC_KEY_SHARE } })).toBe(false)
    expect(of({ protocolMessage: { type: Type.HISTORY_SYNC_NOTIFICATION } })).toBe(false)
    expect(of({ conversation: 'x' }, { category: 'peer' })).toBe(false)
  })
})
