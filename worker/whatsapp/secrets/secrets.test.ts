import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../../../dev/stack/until.ts'
import { startTestSession, type TestSession } from '../../../dev/testing/handler-session.ts'
import { updateEvent } from '../../../shared/events.ts'
import type { MessagesUpsert } from '../event-json.ts'

const BUDI = '628999000001'
const SITI = '628999000002'
const jid = (phone: string) => `${phone}@s.whatsapp.net`
const EDIT = 14

let session: TestSession
beforeAll(async () => {
  session = await startTestSession({ told: ['polls.vote', 'messages.update', 'messages.reaction', 'messages.delete'] })
})
afterAll(async () => session[Symbol.asyncDispose]())
beforeEach(() => {
  session.events.length = 0
  session.updates.length = 0
})

/** What a client writes, with the secret that everything later is encrypted with. */
const withSecret = (message: object) => ({
  ...message,
  messageContextInfo: { messageSecret: randomBytes(32).toString('base64') },
})

async function messageOf(id: string) {
  return until(`the event of ${id}`, () =>
    session.events.flatMap(event => (event as MessagesUpsert).data.messages).find(({ key }) => key.id === id),
  )
}

async function updateOf(name: string) {
  const event = await until(`an event ${name}`, () => session.updates.find(({ event }) => event === name))
  return updateEvent.parse(event).data
}

describe('an edit', () => {
  test.each([
    { author: 'lid', self: 'lid' },
    { author: 'pn', self: 'pn' },
    { author: 'lid', self: 'pn' },
  ] as const)('is decrypted, whatever names it was encrypted with: $author, $self', async names => {
    const { id: about } = await session.control.sendMessage(BUDI, session.phone, withSecret({ conversation: 'old' }))
    await messageOf(about)
    const { id } = await session.control.edit(BUDI, session.phone, about, 'new', names)
    const { message, key } = await messageOf(id)
    const target = { remoteJid: jid(BUDI), fromMe: false, id: about }
    expect(message).toMatchObject({
      protocolMessage: { type: EDIT, key: target, editedMessage: { conversation: 'new' } },
    })
    expect(message).not.toHaveProperty('secretEncryptedMessage')
    expect(key).toMatchObject({ remoteJid: jid(BUDI), fromMe: false })
    const update = { status: 'edited', message: { editedMessage: { message: { conversation: 'new' } } } }
    expect(await updateOf('messages.update')).toMatchObject([{ key: target, update }])
  })

  test('in a group names the author, also when both come at once after a restart', async () => {
    const { jid: group } = await session.control.createGroup(BUDI, 'Talk', [session.phone, SITI])
    await session.client.end()
    const { id: about } = await session.control.sendMessage(SITI, group, withSecret({ conversation: 'old' }))
    const { id } = await session.control.edit(SITI, group, about, 'new')
    await session.reconnect()
    expect((await messageOf(id)).message).toMatchObject({
      protocolMessage: { key: { remoteJid: group, participant: jid(SITI), fromMe: false, id: about } },
    })
  })

  test('of what somebody else wrote is not believed', async () => {
    const { jid: group } = await session.control.createGroup(BUDI, 'Talk', [session.phone, SITI])
    const secret = withSecret({ conversation: 'old' })
    const { id: about } = await session.control.sendMessage(BUDI, group, secret)
    await messageOf(about)
    // Siti has the secret, and passes Budi's message off as her own.
    const own = await session.control.sendMessage(SITI, group, secret, { id: `${about}0` })
    await messageOf(own.id)
    const forged = await session.control.call<{ id: string }>('POST', '/edit', {
      from: SITI,
      to: group,
      about: own.id,
      as: about,
      text: 'forged',
    })
    const { message } = await messageOf(forged.id)
    expect(message).toHaveProperty('secretEncryptedMessage')
    expect(session.updates).toEqual([])
  })

  test('of a message that nobody saw stays as it came', async () => {
    const secretEncryptedMessage = {
      targetMessageKey: { id: 'NEVER-SEEN', fromMe: true },
      encPayload: 'AAAAAAAAAAAAAAAAAAAAAAAA',
      encIv: 'AAAAAAAAAAAAAAAA',
      secretEncType: 2,
    }
    const { id } = await session.control.sendMessage(BUDI, session.phone, { secretEncryptedMessage })
    expect((await messageOf(id)).message).toHaveProperty('secretEncryptedMessage')
  })
})

describe('a vote', () => {
  const poll = { name: 'Kapan?', options: ['Senin', 'Selasa', 'Rabu'], selectableCount: 0 }

  test.each([
    { author: 'lid', self: 'lid' },
    { author: 'pn', self: 'pn' },
    { author: 'lid', self: 'pn' },
    { author: 'pn', self: 'lid' },
  ] as const)('on our poll is told by the names of its options: $author, $self', async names => {
    const { key } = await session.run('SEND_POLL', { to: jid(BUDI), ...poll })
    await session.control.waitForReceived(1, { id: key?.id ?? '' })
    await session.control.vote(BUDI, session.phone, key?.id ?? '', ['Rabu', 'Senin'], names)
    expect(await updateOf('polls.vote')).toMatchObject({
      key: { remoteJid: jid(BUDI), fromMe: true, id: key?.id },
      voter: jid(BUDI),
      voterAlt: expect.stringMatching(/@lid$/) as string,
      selectedOptions: ['Rabu', 'Senin'],
    })
  })

  test('in a group, taken back, also after a restart', async () => {
    const { jid: group } = await session.control.createGroup(BUDI, 'Talk', [session.phone, SITI])
    const { key } = await session.run('SEND_POLL', { to: group, ...poll })
    await session.control.waitForReceived(1, { id: key?.id ?? '' })
    await session.restart()
    await session.control.vote(SITI, group, key?.id ?? '', [])
    const data = await updateOf('polls.vote')
    expect(data).toMatchObject({ voter: jid(SITI), selectedOptions: [], key: { remoteJid: group, fromMe: true } })
  })

  test('on a poll of somebody else', async () => {
    const { jid: group } = await session.control.createGroup(BUDI, 'Talk', [session.phone, SITI])
    const options = ['A', 'B'].map(optionName => ({ optionName }))
    const message = withSecret({ pollCreationMessageV3: { name: 'x', options } })
    const { id } = await session.control.sendMessage(BUDI, group, message)
    await messageOf(id)
    await session.control.vote(SITI, group, id, ['B'])
    expect(await updateOf('polls.vote')).toMatchObject({
      key: { remoteJid: group, participant: jid(BUDI), fromMe: false, id },
      voter: jid(SITI),
      selectedOptions: ['B'],
    })
  })
})

describe('what a message says of another', () => {
  test('is told before it: a reaction, and that it was deleted', async () => {
    const { id } = await session.control.sendText(BUDI, session.phone, 'hello')
    const key = { remoteJid: jid(session.phone), fromMe: true, id }
    await session.control.sendMessage(BUDI, session.phone, { reactionMessage: { key, text: '👍' } })
    const told = { remoteJid: jid(BUDI), fromMe: false, id }
    expect(await updateOf('messages.reaction')).toMatchObject([
      { key: told, reaction: { text: '👍', key: { fromMe: false } } },
    ])
    const revoke = await session.control.sendMessage(BUDI, session.phone, { protocolMessage: { key, type: 0 } })
    expect(await updateOf('messages.delete')).toMatchObject({ keys: [told], by: { id: revoke.id } })
    await messageOf(revoke.id)
    expect(session.updates.map(({ event }) => event)).toEqual(['messages.reaction', 'messages.delete'])
  })
})
