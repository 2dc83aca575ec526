import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestSession, type TestSession } from '../../dev/testing/handler-session.ts'
import { lidOf } from '../../dev/simulator/world.ts'
import { mentioning } from './group-names.ts'

const [BUDI, SITI] = ['628990000001', '628990000002']
const jidOf = (phone: string) => `${phone}@s.whatsapp.net`
const lidJidOf = (phone: string) => `${lidOf(phone)}@lid`

let session: TestSession
let group: string
beforeAll(async () => {
  session = await startTestSession()
  group = (await session.control.createGroup(BUDI, 'Tim', [session.phone, SITI])).jid
})
afterAll(async () => session[Symbol.asyncDispose]())

describe('in a group that knows its members by LID', () => {
  const key = () => ({ remoteJid: group, fromMe: false, id: '3EB0AA', participant: jidOf(SITI) })

  it('a reaction names the author by LID, who was told by number', async () => {
    const { message } = await session.arrives('SEND_REACTION', { to: group, key: key(), emoji: '👍' })
    expect(message['reactionMessage']).toMatchObject({ key: { participant: lidJidOf(SITI) } })
  })

  it('so does a quote, and one of our own message names us by LID', async () => {
    const theirs = await session.arrives('SEND_REPLY', { to: group, text: 'yes', quoted: { key: key() } })
    expect(theirs.message['extendedTextMessage']?.['contextInfo']).toMatchObject({ participant: lidJidOf(SITI) })
    const ours = { remoteJid: group, fromMe: true, id: '3EB0BB' }
    const own = await session.arrives('SEND_REPLY', { to: group, text: 'yes', quoted: { key: ours } })
    expect(own.message['extendedTextMessage']?.['contextInfo']).toMatchObject({ participant: lidJidOf(session.phone) })
  })

  it('so do mentions, in the text as well', async () => {
    const text = `halo @${SITI}, and not @${SITI}9`
    const { message } = await session.arrives('SEND_TEXT', { to: group, text, mentions: [jidOf(SITI)] })
    expect(message['extendedTextMessage']).toMatchObject({
      text: `halo @${lidOf(SITI)}, and not @${SITI}9`,
      contextInfo: { mentionedJid: [lidJidOf(SITI)] },
    })
  })
})

it('leaves people alone whom the chat knows by the name that is given', () => {
  const same = mentioning('halo @628', [jidOf('628')], jid => jid)
  expect(same).toEqual({ text: 'halo @628', mentions: [jidOf('628')] })
})
