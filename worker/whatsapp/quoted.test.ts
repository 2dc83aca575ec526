import { randomBytes } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'
import { expect, test } from 'vitest'
import { messageJson, snapshot } from './event-json.ts'
import { quote } from './quoted.ts'

const BUDI = '628999000001@s.whatsapp.net'
const context = { to: BUDI, me: '628110000001@s.whatsapp.net', ours: undefined, nameIn: (jid: string) => jid }

/** The message as a webhook tells it. */
async function webhookOf(message: proto.IMessage) {
  const decoded = proto.Message.decode(proto.Message.encode(message).finish())
  const taken = snapshot({ key: { remoteJid: BUDI, fromMe: false, id: 'A' }, message: decoded })
  const told = await messageJson(taken, { id: undefined, lid: undefined }, async () => null)
  return JSON.parse(JSON.stringify(told)) as {
    key: { remoteJid: string; id: string }
    message: Record<string, unknown>
  }
}

test('a message is quoted as the webhook told it, with a thumbnail of 60 KB', async () => {
  const jpegThumbnail = randomBytes(60 * 1024)
  const quotedBefore = { conversation: 'z'.repeat(100_000) }
  const contextInfo = { stanzaId: 'B', participant: BUDI, quotedMessage: quotedBefore, mentionedJid: [BUDI] }
  const imageMessage = { caption: 'look', fileLength: 12_345_678_901, jpegThumbnail, contextInfo }
  const told = await webhookOf({ imageMessage, messageContextInfo: { messageSecret: randomBytes(32) } })
  const { quotedMessage } = quote(told, context)
  expect(quotedMessage?.imageMessage?.caption).toBe('look')
  expect(quotedMessage?.imageMessage?.jpegThumbnail).toEqual(jpegThumbnail)
  expect(quotedMessage?.imageMessage?.contextInfo ?? undefined).toBeUndefined()
})

test('what is too large for a preview is found by its id', async () => {
  const told = await webhookOf({ conversation: 'x'.repeat(200_000) })
  expect(quote(told, context)).toMatchObject({ stanzaId: 'A', quotedMessage: { conversation: '' } })
})

test.each([
  [
    'nested too deep',
    Array.from({ length: 80 }).reduce<object>(inner => ({ ephemeralMessage: { message: inner } }), {}),
  ],
  ['too long', { conversation: 'x'.repeat(3 * 1024 * 1024) }],
  ['an invented length', { imageMessage: { jpegThumbnail: { length: 1e9 } } }],
])('%s is refused', (_case, message) => {
  const quoted = { key: { remoteJid: BUDI, id: 'A' }, message: message as Record<string, unknown> }
  expect(() => quote(quoted, context)).toThrow('not a WhatsApp message')
})
