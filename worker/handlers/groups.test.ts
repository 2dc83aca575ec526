import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { lidOf } from '../../dev/simulator/world.ts'
import { startTestSession, type TestSession } from '../../dev/testing/handler-session.ts'

const BUDI = '628999000001'
const SITI = '628999000002'
const AGUS = '628999000003'
const NOBODY = '628999000404'
const jid = (phone: string) => `${phone}@s.whatsapp.net`
const lid = (phone: string) => `${lidOf(phone)}@lid`

let session: TestSession

beforeAll(async () => {
  session = await startTestSession({ ackTimeoutMs: 1000 })
  await session.control.numbers({ unregistered: [NOBODY] })
})
afterAll(async () => session[Symbol.asyncDispose]())
beforeEach(async () => session.control.clearFaults())

async function group(groupJid: string | undefined) {
  const { groups } = await session.control.groups()
  return groups.find(({ jid: found }) => found === groupJid)
}

const members = async (groupJid: string | undefined) =>
  Object.fromEntries((await group(groupJid))?.members.map(({ phone, rank }) => [phone, rank ?? 'member']) ?? [])

describe('GROUP_CREATE', () => {
  test('makes a group and says what became of each participant', async () => {
    const participants = [jid(BUDI), SITI, NOBODY, `+${BUDI}`]
    const result = await session.run('GROUP_CREATE', { subject: 'Tim Developer', participants })
    expect(result.participants).toEqual([
      { jid: jid(BUDI), status: '200' },
      { jid: jid(SITI), status: '200' },
      { jid: jid(NOBODY), status: 'unanswered' },
    ])
    expect((await group(result.groupJid))?.subject).toBe('Tim Developer')
    expect(await members(result.groupJid)).toEqual({
      [session.phone]: 'superadmin',
      [BUDI]: 'member',
      [SITI]: 'member',
    })
  })

  test('a run after a crash finds the group that was made', async () => {
    const job = { subject: 'Only once', participants: [jid(BUDI), jid(SITI)] }
    const first = await session.run('GROUP_CREATE', job, { id: 'group-once' })
    const again = await session.run('GROUP_CREATE', job, { id: 'group-once', attempt: 2 })
    expect(again).toEqual(first)
    const { groups } = await session.control.groups()
    expect(groups.filter(({ subject }) => subject === 'Only once')).toHaveLength(1)
  })

  test('another job with the same subject makes another group', async () => {
    const job = { subject: 'Twice', participants: [jid(BUDI)] }
    const first = await session.run('GROUP_CREATE', job)
    const second = await session.run('GROUP_CREATE', job)
    expect(second.groupJid).not.toBe(first.groupJid)
  })
})

describe('GROUP_CREATE beside another of the same subject', () => {
  const data = (...participants: string[]) => ({ subject: 'Same', participants: participants.map(jid) })

  test('that WhatsApp has refused once makes a group of its own', async () => {
    const first = await session.run('GROUP_CREATE', data(BUDI), { id: 'same-1' })
    await session.control.fault({ kind: 'error-iq', xmlns: 'w:g2', code: 500, count: 1 })
    const refused = session.run('GROUP_CREATE', data(SITI), { id: 'same-2' })
    await expect(refused).rejects.toMatchObject({ code: 'WHATSAPP_REFUSED' })
    const second = await session.run('GROUP_CREATE', data(SITI), { id: 'same-2', attempt: 2 })
    expect(second.groupJid).not.toBe(first.groupJid)
    expect(await members(second.groupJid)).toMatchObject({ [SITI]: 'member' })
  })

  test('takes none that another was given, and finds its own again', async () => {
    const first = await session.run('GROUP_CREATE', data(BUDI), { id: 'same-3' })
    const again = await session.run('GROUP_CREATE', data(BUDI), { id: 'same-3', attempt: 2 })
    expect(again.groupJid).toBe(first.groupJid)
    const other = await session.run('GROUP_CREATE', data(SITI), { id: 'same-4' })
    const otherAgain = await session.run('GROUP_CREATE', data(SITI), { id: 'same-4', attempt: 2 })
    expect(otherAgain.groupJid).toBe(other.groupJid)
    expect(other.groupJid).not.toBe(first.groupJid)
  })
})

describe('GROUP_UPDATE_PARTICIPANTS', () => {
  test('does all four actions', async () => {
    const { groupJid } = await session.run('GROUP_CREATE', { subject: 'Actions', participants: [jid(BUDI)] })
    const update = async (action: string, ...participants: string[]) =>
      session.run('GROUP_UPDATE_PARTICIPANTS', { jid: groupJid, action, participants })

    expect(await update('add', SITI, jid(AGUS))).toEqual({
      participants: [
        { jid: jid(SITI), status: '200' },
        { jid: jid(AGUS), status: '200' },
      ],
    })
    expect(await update('promote', SITI)).toEqual({ participants: [{ jid: jid(SITI), status: '200' }] })
    expect(await members(groupJid)).toMatchObject({ [SITI]: 'admin', [AGUS]: 'member' })
    expect(await update('demote', SITI)).toEqual({ participants: [{ jid: jid(SITI), status: '200' }] })
    expect(await update('remove', jid(AGUS))).toEqual({ participants: [{ jid: jid(AGUS), status: '200' }] })
    expect(await members(groupJid)).toEqual({ [session.phone]: 'superadmin', [BUDI]: 'member', [SITI]: 'member' })
  })

  test('tells apart what failed for one and what failed for all', async () => {
    const { groupJid } = await session.run('GROUP_CREATE', { subject: 'Partly', participants: [jid(BUDI)] })
    const update = { jid: groupJid, action: 'add', participants: [jid(BUDI), jid(SITI)] }
    const { participants } = await session.run('GROUP_UPDATE_PARTICIPANTS', update)
    expect(participants?.[0]?.status).not.toBe('200')
    expect(participants?.[1]).toEqual({ jid: jid(SITI), status: '200' })
  })

  test('a group that is not there, and one where we may not', async () => {
    const unknown = { jid: '1234567890@g.us', action: 'add', participants: [jid(BUDI)] }
    await expect(session.run('GROUP_UPDATE_PARTICIPANTS', unknown)).rejects.toMatchObject({ code: 'NOT_IN_GROUP' })
    const { jid: theirs } = await session.control.createGroup(BUDI, 'Theirs', [session.phone, SITI])
    const forbidden = { jid: theirs, action: 'remove', participants: [jid(SITI)] }
    await expect(session.run('GROUP_UPDATE_PARTICIPANTS', forbidden)).rejects.toMatchObject({
      code: 'WHATSAPP_REFUSED',
      message: expect.stringMatching(/^403 /),
    })
  })
})

describe('messages in groups', () => {
  test('a text with mentions is read by every member', async () => {
    const { groupJid } = await session.run('GROUP_CREATE', { subject: 'Talk', participants: [jid(BUDI), jid(SITI)] })
    const text = { to: groupJid, text: `hi @${SITI}`, mentions: [jid(SITI)] }
    const { key } = await session.run('SEND_TEXT', text)
    const [seen] = await session.control.waitForReceived(1, { id: key?.id ?? '' })
    const readers = seen?.opened.filter(({ ok, role }) => ok && role === 'contact').map(({ phone }) => phone)
    expect(readers).toEqual(expect.arrayContaining([BUDI, SITI]))
    expect(seen?.message).toMatchObject({ extendedTextMessage: { contextInfo: { mentionedJid: [lid(SITI)] } } })
  })

  test('a reply and a reaction name the author', async () => {
    const { groupJid } = await session.run('GROUP_CREATE', { subject: 'Quotes', participants: [jid(BUDI)] })
    const key = { remoteJid: groupJid, fromMe: false, id: 'ABC', participant: jid(BUDI) }
    const reply = await session.run('SEND_REPLY', { to: groupJid, text: 'yes', quoted: { key } })
    const [seen] = await session.control.waitForReceived(1, { id: reply.key?.id ?? '' })
    expect(seen?.message).toMatchObject({
      extendedTextMessage: { contextInfo: { participant: lid(BUDI), stanzaId: 'ABC' } },
    })
    const reaction = await session.run('SEND_REACTION', { to: groupJid, key, emoji: '🎉' })
    const [reacted] = await session.control.waitForReceived(1, { id: reaction.key?.id ?? '' })
    expect(reacted?.message).toMatchObject({ reactionMessage: { key: { participant: lid(BUDI) }, text: '🎉' } })
  })

  test('ask for the group once, and again when its members change', async () => {
    const { jid: group } = await session.control.createGroup(BUDI, 'Changing', [session.phone, SITI])
    const asked = async () => {
      const lines = await session.control.log({ kind: 'frame', tag: 'iq' })
      return lines.filter(({ xmlns, to }) => xmlns === 'w:g2' && to === group).length
    }
    const readers = async (text: string) => {
      const { key } = await session.run('SEND_TEXT', { to: group, text })
      const [seen] = await session.control.waitForReceived(1, { id: key?.id ?? '' })
      return seen?.opened.filter(({ ok, role }) => ok && role === 'contact').map(({ phone }) => phone)
    }
    await readers('one')
    const before = await asked()
    expect(new Set(await readers('two'))).toEqual(new Set([BUDI, SITI]))
    expect(await asked()).toBe(before)
    const changed = new Promise<void>(resolve =>
      session.client.socket.ws.once('CB:notification,type:w:gp2', () => resolve()),
    )
    await session.control.changeMembers(group, 'add', [AGUS], BUDI)
    await changed
    expect(new Set(await readers('three'))).toEqual(new Set([BUDI, SITI, AGUS]))
    expect(await asked()).toBe(before + 1)
  })

  test('to a group that we are not in fail', async () => {
    const sending = session.run('SEND_TEXT', { to: '1234567890@g.us', text: 'hello?' })
    await expect(sending).rejects.toMatchObject({ code: 'NOT_IN_GROUP', retry: 'never' })
  })
})

describe('acks', () => {
  test('a lost ack is tried again under the same id', async () => {
    await session.control.fault({ kind: 'drop-ack', count: 1 })
    const text = { to: jid(BUDI), text: 'ack me' }
    const sending = session.run('SEND_TEXT', text, { id: 'lost-ack' })
    await expect(sending).rejects.toMatchObject({ code: 'ACK_TIMEOUT', retry: 'backoff' })
    const { key } = await session.run('SEND_TEXT', text, { id: 'lost-ack', attempt: 2 })
    const seen = await session.control.waitForReceived(2, { id: key?.id ?? '' })
    expect(seen.map(({ duplicate }) => duplicate)).toEqual([false, true])
  })

  test('misses no ack of a message that has not left yet', async () => {
    await session.run('SEND_TEXT', { to: jid(BUDI), text: 'warm' })
    let append = () => {}
    session.gate.append = new Promise(resolve => (append = resolve))
    const { id } = await session.control.sendText(BUDI, session.phone, 'shuts the gate')
    await session.client.on('messages.upsert', ({ messages }) => messages.some(({ key }) => key.id === id) || undefined)
    const sending = session.run('SEND_TEXT', { to: jid(BUDI), text: 'patient' })
    // Longer than it waits for an ack.
    const early = await session.control.received({ chat: BUDI, count: 100, wait: 1500 })
    expect(early.filter(({ text }) => text === 'patient')).toEqual([])
    append()
    expect((await sending).key).toMatchObject({ remoteJid: jid(BUDI) })
    session.gate.append = undefined
  })

  test('a recipient that cannot decrypt is sent the same message again', async () => {
    await session.control.fault({ kind: 'fail-decrypt', count: 1 })
    const { key } = await session.run('SEND_TEXT', { to: jid(AGUS), text: 'say again?' })
    const seen = await session.control.waitForReceived(2, { id: key?.id ?? '' })
    const [first, second] = seen.map(({ opened }) => opened.find(({ role }) => role === 'contact'))
    expect(first?.ok).toBe(false)
    expect(second?.ok).toBe(true)
    expect(seen[1]?.text).toBe('say again?')
  })

  test.each(['before', 'after'] as const)('a socket that is cut %s the message makes the job wait', async when => {
    await session.control.fault({ kind: 'cut', when, count: 1 })
    const text = { to: jid(BUDI), text: `cut ${when}` }
    const sending = session.run('SEND_TEXT', text, { id: `cut-${when}` })
    await expect(sending).rejects.toMatchObject({ retry: 'wait' })
    await session.reconnect()
    const { key } = await session.run('SEND_TEXT', text, { id: `cut-${when}` })
    const seen = await session.control.waitForReceived(when === 'before' ? 1 : 2, { id: key?.id ?? '' })
    expect(new Set(seen.map(({ text: words }) => words))).toEqual(new Set([text.text]))
  })
})
