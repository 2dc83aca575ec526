import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../dev/stack/until.ts'
import { startTestSession, type TestSession } from '../../dev/testing/handler-session.ts'
import { UPDATE_NAMES, updateEvent } from '../../shared/events.ts'

const CONTACT = '628990000001'
const jidOf = (phone: string) => `${phone}@s.whatsapp.net`

let session: TestSession
beforeAll(async () => {
  session = await startTestSession({ told: UPDATE_NAMES })
})
afterAll(async () => session[Symbol.asyncDispose]())

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
