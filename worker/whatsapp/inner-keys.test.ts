import { cleanMessage, proto, type WAMessage } from '@whiskeysockets/baileys'
import { describe, expect, test } from 'vitest'
import { messageJson, snapshot } from './event-json.ts'

const { Type } = proto.Message.ProtocolMessage

const me = { id: '628110000001:3@s.whatsapp.net', lid: '900000000001:3@lid' }
const MY_NUMBER = '628110000001@s.whatsapp.net'
const MY_LID = '900000000001@lid'
const BUDI = '628999000001@s.whatsapp.net'
const BUDI_LID = '900000000009@lid'
const CITRA = '628999000002@s.whatsapp.net'
const CITRA_LID = '900000000010@lid'
const GROUP = '120363@g.us'

const find = async (lid: string) => (lid === CITRA_LID ? CITRA : null)

/** The content of the event about a message, as Baileys would emit it. */
async function told(key: Partial<WAMessage['key']>, message: proto.IMessage): Promise<unknown> {
  const whole: WAMessage = { key: { id: 'OUTER', fromMe: false, ...key }, message: structuredClone(message) }
  cleanMessage(whole, me.id, me.lid)
  return (await messageJson(snapshot(whole), me, find)).message
}

const fromBudi = { remoteJid: BUDI_LID, remoteJidAlt: BUDI }
const fromBudiInGroup = { remoteJid: GROUP, participant: BUDI_LID, participantAlt: BUDI }
const ours = { remoteJid: BUDI_LID, fromMe: true }

const budisOwn = { remoteJid: BUDI, remoteJidAlt: BUDI_LID, fromMe: false, id: 'X' }
const oursToBudi = { remoteJid: BUDI, remoteJidAlt: BUDI_LID, fromMe: true, id: 'X' }
const inGroup = { remoteJid: GROUP, fromMe: false, id: 'X' }

describe('the key of what is', () => {
  test.each<[string, Partial<WAMessage['key']>, proto.IMessageKey, object]>([
    ["edited, its author's own", fromBudi, { remoteJid: MY_LID, fromMe: true, id: 'X' }, budisOwn],
    [
      'edited in a group',
      fromBudiInGroup,
      { remoteJid: GROUP, fromMe: true, id: 'X' },
      {
        ...inGroup,
        participant: BUDI,
        participantAlt: BUDI_LID,
      },
    ],
    [
      "revoked by an admin, somebody's",
      fromBudiInGroup,
      { remoteJid: GROUP, fromMe: false, id: 'X', participant: CITRA_LID },
      {
        ...inGroup,
        participant: CITRA,
        participantAlt: CITRA_LID,
      },
    ],
    [
      'revoked by an admin, ours',
      fromBudiInGroup,
      { remoteJid: GROUP, fromMe: false, id: 'X', participant: MY_LID },
      {
        ...inGroup,
        fromMe: true,
        participant: MY_NUMBER,
        participantAlt: MY_LID,
      },
    ],
    ['of our own phone', { ...ours, remoteJidAlt: BUDI }, { remoteJid: BUDI_LID, fromMe: true, id: 'X' }, oursToBudi],
  ])('%s', async (_case, key, inner, expected) => {
    const message = { protocolMessage: { type: Type.MESSAGE_EDIT, key: inner, editedMessage: { conversation: 'new' } } }
    expect(await told(key, message)).toEqual({
      protocolMessage: { type: Type.MESSAGE_EDIT, key: expected, editedMessage: { conversation: 'new' } },
    })
  })

  test('reacted to', async () => {
    const reactionMessage = (key: proto.IMessageKey) => ({ reactionMessage: { key, text: '👍' } })
    const toOurs = { remoteJid: MY_LID, fromMe: false, id: 'X' }
    expect(await told(fromBudi, reactionMessage(toOurs))).toEqual(reactionMessage(oursToBudi))
    const toTheirs = { remoteJid: MY_LID, fromMe: true, id: 'X' }
    expect(await told(fromBudi, reactionMessage(toTheirs))).toEqual(reactionMessage(budisOwn))
    const toCitra = { remoteJid: GROUP, fromMe: false, id: 'X', participant: CITRA_LID }
    expect(await told(fromBudiInGroup, reactionMessage(toCitra))).toEqual(
      reactionMessage({ ...inGroup, participant: CITRA, participantAlt: CITRA_LID } as proto.IMessageKey),
    )
  })

  test('pinned, also inside a disappearing message', async () => {
    const pin = (key: object) => ({ ephemeralMessage: { message: { pinInChatMessage: { key, type: 1 } } } })
    expect(await told(fromBudi, pin({ remoteJid: MY_NUMBER, fromMe: false, id: 'X' }))).toEqual(pin(oursToBudi))
  })
})

test('the author of a quote is named by number, and the quoted copy stays as it is', async () => {
  const quote = (names: object) => ({
    extendedTextMessage: {
      text: 'yes',
      contextInfo: {
        stanzaId: 'X',
        ...names,
        quotedMessage: { reactionMessage: { key: { remoteJid: GROUP, id: 'Y' } } },
      },
    },
  })
  expect(await told(fromBudiInGroup, quote({ participant: CITRA_LID }))).toEqual(
    quote({ participant: CITRA, participantAlt: CITRA_LID }),
  )
  expect(await told(fromBudiInGroup, quote({ participant: '900000000404@lid' }))).toEqual(
    quote({ participant: '900000000404@lid' }),
  )
})

test('a sender that names a thousand people has us look up some of them', async () => {
  let looked = 0
  const count = async () => {
    looked++
    return null
  }
  const contextInfo = (i: number) => ({ contextInfo: { participant: `${900_000_100_000 + i}@lid` } })
  const sections = Array.from({ length: 1000 }, (_, i) => contextInfo(i))
  const taken = snapshot({ key: { remoteJid: BUDI, id: 'A', fromMe: false }, message: { sections } as proto.IMessage })
  await messageJson(taken, me, count)
  expect(looked).toBeLessThan(100)
})
