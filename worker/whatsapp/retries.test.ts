import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ControlAsk } from '../../dev/simulator/client.ts'
import { startTestSession, type TestSession } from '../../dev/testing/handler-session.ts'
import { messageIdOf } from './message-id.ts'

const BUDI = '628999000001'
const SITI = '628999000002'
const EVE = '628999000003'

let session: TestSession
let since = 0

beforeAll(async () => {
  session = await startTestSession()
})
afterAll(async () => session[Symbol.asyncDispose]())
beforeEach(async () => {
  since = (await session.control.received({ limit: 100_000 })).at(-1)?.index ?? 0
})

async function send(to: string, text: string): Promise<string> {
  const { key } = await session.run('SEND_TEXT', { to, text })
  const id = key?.id ?? ''
  await session.control.waitForReceived(1, { id })
  since = (await session.control.received({ limit: 100_000 })).at(-1)?.index ?? since
  return id
}

const ask = async (question: Omit<ControlAsk, 'to'>) => session.control.ask({ to: session.phone, ...question })

/**
 * The texts that arrived since the last was sent, once the asker has got a text of its own again: a client answers
 * one question after the other, so what it was asked before is answered or refused by then.
 */
async function got(asker: string): Promise<(string | undefined)[]> {
  const before = since
  const own = await send(asker, 'the last one')
  await ask({ from: asker, ids: [own] })
  await session.control.waitForReceived(1, { since, id: own })
  const all = await session.control.received({ since: before, limit: 100_000 })
  return all.map(({ text }) => text).filter(text => text !== 'the last one')
}

describe('a person', () => {
  test.each(['lid', 'pn'] as const)(
    'who asks for its own is sent it again, also after a restart (%s)',
    async addressing => {
      const id = await send(BUDI, `for Budi ${addressing}`)
      await session.restart()
      await ask({ from: BUDI, ids: [id], addressing })
      expect(await got(BUDI)).toEqual([`for Budi ${addressing}`])
    },
  )

  test('who names ids of other chats gets nothing, whether it asks as a phone, a device or in a group', async () => {
    const texts = Array.from({ length: 20 }, (_, i) => `private ${i}`)
    const ids = []
    for (const text of texts) ids.push(await send(BUDI, text))
    const group = await session.control.createGroup(EVE, 'Trap', [session.phone])
    for (const addressing of ['lid', 'pn'] as const) await ask({ from: EVE, ids, addressing })
    await ask({ from: EVE, ids, device: 3 })
    await ask({ from: EVE, ids, group: group.jid })
    expect(await got(EVE)).toEqual([])
  })

  test('is not answered for ever', async () => {
    const id = await send(BUDI, 'again and again')
    for (let n = 0; n < 9; n++) await ask({ from: BUDI, ids: [`other-${n}`, id] })
    expect(await got(BUDI)).toHaveLength(5)
  })

  test('gets nothing of the intent of a GROUP_CREATE', async () => {
    const job = { sessionId: 'user-123', id: 'a-group', createdAt: 0 }
    await session.run('GROUP_CREATE', { subject: 'Secret subject', participants: [SITI] }, { id: job.id })
    const intent = messageIdOf(session.client.socket.authState.creds, { ...job, createdAt: session.createdAt })
    await ask({ from: EVE, ids: [intent] })
    await ask({ from: SITI, ids: [intent] })
    expect(await got(EVE)).toEqual([])
  })
})

describe('in a group', () => {
  test('members are sent it again, strangers are not', async () => {
    const group = await session.control.createGroup(BUDI, 'Members', [session.phone, SITI])
    const id = await send(group.jid, 'for members')
    await ask({ from: EVE, ids: [id], group: group.jid })
    await ask({ from: EVE, ids: [id] })
    expect(await got(EVE)).toEqual([])
    await ask({ from: SITI, ids: [id], group: group.jid })
    expect(await got(SITI)).toEqual(['for members'])
  })

  test('who joined later gets nothing, and nothing goes to all while somebody has', async () => {
    const group = await session.control.createGroup(BUDI, 'Growing', [session.phone, SITI])
    const id = await send(group.jid, 'before Eve')
    await session.control.changeMembers(group.jid, 'add', [EVE], BUDI)
    await ask({ from: EVE, ids: [id], group: group.jid })
    await ask({ from: SITI, ids: [id], group: group.jid })
    expect(await got(EVE)).toEqual([])
  })
})
