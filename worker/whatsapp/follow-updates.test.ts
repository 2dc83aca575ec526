import { proto } from '@whiskeysockets/baileys'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../dev/stack/until.ts'
import { startTestSession, type TestSession } from '../../dev/testing/handler-session.ts'
import { UPDATE_NAMES, updateEvent } from '../../shared/events.ts'
import type { MessagesUpsert } from './event-json.ts'

const CONTACT = '628990000001'
const jidOf = (phone: string) => `${phone}@s.whatsapp.net`

let session: TestSession
beforeAll(async () => {
  session = await startTestSession({ told: UPDATE_NAMES })
})
afterAll(async () => session[Symbol.asyncDispose]())

const idsOf = (name: string) =>
  session.updates.flatMap(({ event, data }) =>
    event === name ? (data as { key: { id: string } }[]).map(({ key }) => key.id) : [],
  )

describe('an update that is asked for', () => {
  it('tells that a message was delivered and read, by the key that the job answered', async () => {
    await session.control.settings({ receipts: 'read' })
    const { key } = await session.run('SEND_TEXT', { to: CONTACT, text: 'hello' })
    const told = await until('the read receipt', () => {
      const statuses = session.updates.flatMap(({ event, data }) => (event === 'messages.update' ? data : []))
      const mine = (statuses as { key: { id: string }; update: { status: string } }[]).filter(
        update => update.key.id === key?.id,
      )
      return mine.some(({ update }) => update.status === 'read') && mine
    })
    expect(told.at(-1)?.key).toMatchObject({ remoteJid: jidOf(CONTACT), fromMe: true, id: key?.id })
    for (const update of session.updates) expect(updateEvent.parse(update)).toEqual(update)
  })

  it('is stored before WhatsApp has its ack', async () => {
    await session.control.settings({ receipts: 'delivery' })
    let append = () => {}
    const { key } = await session.run('SEND_TEXT', { to: CONTACT, text: 'first' })
    await until('the receipt', () => idsOf('messages.update').includes(key?.id ?? ''))
    session.gate.append = new Promise(resolve => (append = resolve))
    const receipt = {
      tag: 'receipt',
      attrs: { id: key?.id ?? '', from: jidOf(CONTACT), t: '1764400000', type: 'read' },
    }
    await session.control.stanza(session.phone, receipt)
    await session.client.on(
      'messages.update',
      updates => updates.some(({ update }) => update.status === proto.WebMessageInfo.Status.READ) || undefined,
    )
    const acked = async () =>
      (await session.control.log({ kind: 'frame', tag: 'ack' })).some(
        line => line.id === key?.id && line.type === 'read',
      )
    expect(await acked()).toBe(false)
    append()
    session.gate.append = undefined
    await until('the ack', acked)
  })

  it('tells who read in a group, by number, with the LID beside it', async () => {
    await session.control.settings({ receipts: 'read' })
    const { jid } = await session.control.createGroup(CONTACT, 'Talk', [session.phone])
    const { key } = await session.run('SEND_TEXT', { to: jid, text: 'all' })
    const isRead = (item: { key: { id: string }; receipt: object }) =>
      item.key.id === key?.id && 'readTimestamp' in item.receipt
    const [item] = await until('the receipt', () => {
      const told = session.updates.flatMap(({ event, data }) => (event === 'message-receipt.update' ? data : []))
      const read = (told as Parameters<typeof isRead>[0][]).filter(isRead)
      return read.length > 0 && read
    })
    expect(item?.key).toEqual({ remoteJid: jid, fromMe: true, id: key?.id })
    expect(item?.receipt).toMatchObject({
      userJid: jidOf(CONTACT),
      userJidAlt: expect.stringMatching(/@lid$/) as string,
    })
  })

  it('tells of a group that is renamed and of who joins', async () => {
    const { jid } = await session.control.createGroup(CONTACT, 'Talk', [session.phone])
    await session.control.changeMembers(jid, 'add', ['628990000002'])
    const joined = await until('who joined', () =>
      session.updates.find(({ event }) => event === 'group-participants.update'),
    )
    expect(joined.data).toMatchObject({ id: jid, action: 'add' })
  })

  it('tells of a call, and nothing of one that has no id', async () => {
    const call = (attrs: Record<string, string>) => ({
      tag: 'call',
      attrs: { id: 'c1', from: jidOf(CONTACT), t: '1764400000' },
      content: [{ tag: 'offer', attrs, content: [] }],
    })
    await session.control.stanza(session.phone, call({ from: jidOf(CONTACT) }))
    await session.control.stanza(session.phone, call({ 'call-id': 'CALL1', from: jidOf(CONTACT) }))
    const [told] = await until('the call', () => {
      const calls = session.updates.filter(({ event }) => event === 'call')
      return calls.length > 0 && calls
    })
    expect(told?.data).toMatchObject([{ id: 'CALL1', from: jidOf(CONTACT), status: 'offer', date: 1_764_400_000 }])
  })
})

it('is not told when nobody asks for it', async () => {
  await using quiet = await startTestSession()
  await quiet.control.settings({ receipts: 'read' })
  await quiet.run('SEND_TEXT', { to: CONTACT, text: 'one' })
  await quiet.control.sendText(CONTACT, quiet.phone, 'an answer')
  await until('the answer', () => quiet.events.length > 0)
  expect(quiet.updates).toEqual([])
})

describe('posts', () => {
  const status = (id: string) => ({
    tag: 'message',
    attrs: { id, from: 'status@broadcast', participant: jidOf(CONTACT), t: '1764400000', type: 'text' },
    content: [
      {
        tag: 'plaintext',
        attrs: {},
        content: Buffer.from(proto.Message.encode({ conversation: id }).finish()).toString('base64'),
      },
    ],
  })
  const post = (id: string) => ({
    ...status(id),
    attrs: { id, from: '1203@newsletter', t: '1764400000', type: 'text' },
  })

  it.each([
    [[], ['end']],
    [['status'], ['S1', 'end']],
    [['channels'], ['C1', 'end']],
  ] as const)('of status and channels are told when %j is asked for', async (told, expected) => {
    await using quiet = await startTestSession({ told })
    await quiet.control.stanza(quiet.phone, status('S1'))
    await quiet.control.stanza(quiet.phone, post('C1'))
    await quiet.control.sendText(CONTACT, quiet.phone, 'end')
    const texts = () =>
      quiet.events.flatMap(({ data }) =>
        (data as MessagesUpsert['data']).messages.map(({ message }) => message?.['conversation']),
      )
    await until('the text', () => texts().includes('end'))
    expect(texts()).toEqual(expected)
  })
})
