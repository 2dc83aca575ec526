import { pino } from 'pino'
import { expect, test } from 'vitest'
import { FencedError } from '../redis/fenced.ts'
import type { SessionContext } from '../core.ts'
import type { Outbox } from '../outbox/outbox.ts'
import { nameOf, openInboundLine, type Inbound } from './inbound.ts'

async function setUp(
  append: (event: Parameters<Outbox['append']>[1]) => Promise<void> = async () => {},
  received: string[] = [],
) {
  const appended: string[] = []
  const lease = new AbortController()
  const outbox: Outbox = {
    append: async (_fence, event, along) => {
      await append(event)
      return appended.push(along?.received ?? '')
    },
    received: async () => received,
    deleteAfterDelivery: async () => {},
  }
  const session = {
    sessionId: 'user-123',
    fence: { signal: lease.signal },
    core: { log: pino({ enabled: false }) },
  } as unknown as SessionContext
  const aside: unknown[] = []
  const line = await openInboundLine(outbox, session, error => aside.push(error))
  return { aside, appended, lease, line, push: async (name: string) => line.push(inbound(name)) }
}

/** The event's session carries the name: nothing here reads the rest. */
function inbound(name: string): Inbound {
  const data = { messages: [], type: 'notify' as const }
  return { name, events: async () => [{ event: 'messages.upsert', sessionId: name, timestamp: 0, data }] }
}

test('appends in order, and tries again before it goes on', async () => {
  let failures = 2
  const { appended, push } = await setUp(async ({ sessionId }) => {
    if (sessionId === 'a' && failures-- > 0) throw new Error('Connection is closed.')
  })
  const first = push('a')
  expect(await Promise.all([first, ...['b', 'c'].map(push)])).toEqual([true, true, true])
  expect(appended).toEqual(['a', 'b', 'c'])
})

test('appends what came meanwhile together', async () => {
  let open = () => {}
  let gate: Promise<void> | undefined = new Promise(resolve => (open = resolve))
  let atOnce = 0
  const { push, line } = await setUp(async () => {
    atOnce += 1
    await gate
  })
  const first = push('a')
  const others = ['b', 'c', 'd'].map(push)
  await new Promise(resolve => setImmediate(resolve))
  expect(atOnce).toBe(1)
  gate = new Promise(() => {})
  open()
  await first
  await new Promise(resolve => setImmediate(resolve))
  expect(atOnce).toBe(4)
  void [others, line]
})

test('appends a message that comes again only once', async () => {
  const { appended, push } = await setUp()
  expect(await Promise.all(['a', 'b', 'a', 'b'].map(push))).toEqual([true, true, true, true])
  expect(await push('b')).toBe(true)
  expect(appended).toEqual(['a', 'b'])
})

test('appends what a message changes before it, and after a crash between the two what is left', async () => {
  const two = async () => [...(await inbound('x').events()), ...(await inbound('y').events())]
  const { appended, line } = await setUp(undefined, ['a!1'])
  await line.push({ name: 'a', events: two })
  await line.push({ name: 'b', events: two })
  expect(appended).toEqual(['a', 'b!1', 'b'])
})

test('appends no message that an earlier owner has appended', async () => {
  const { appended, line, push } = await setUp(undefined, ['b', 'a'])
  expect(await Promise.all(['a', 'b', 'c'].map(push))).toEqual([true, true, true])
  expect(appended).toEqual(['c'])
  expect(['a', 'b', 'c', 'd'].map(name => line.knows(name))).toEqual([true, true, true, false])
})

test('remembers the last thousand', async () => {
  const received = Array.from({ length: 1000 }, (_, i) => `old ${1000 - i}`)
  const { line, push } = await setUp(undefined, received)
  await push('new')
  expect(['old 1', 'old 2', 'old 1000', 'new'].map(name => line.knows(name))).toEqual([false, true, true, true])
})

test('sets aside what cannot be made or stored, and goes on', async () => {
  const { aside, appended, line, push } = await setUp(async ({ sessionId }) => {
    if (sessionId === 'refused') throw new TypeError('a defect, or what somebody sent')
  })
  const events = async () => {
    throw new RangeError('Maximum call stack size exceeded')
  }
  const all = [push('a'), line.push({ name: 'deep', events }), push('refused'), push('b')]
  expect(await Promise.all(all)).toEqual([true, true, true, true])
  expect(appended).toEqual(['a', 'b'])
  expect(aside).toHaveLength(2)
})

test('says so when the lease is lost', async () => {
  const { appended, push } = await setUp(async () => {
    throw new FencedError(0)
  })
  expect(await push('a')).toBe(false)
  expect(appended).toEqual([])
})

test('stops trying when the lease is given up', async () => {
  const { lease, push } = await setUp(async () => {
    throw new Error('Connection is closed.')
  })
  const waiting = [push('a'), push('b')]
  setTimeout(() => lease.abort(), 5)
  expect(await Promise.all(waiting)).toEqual([false, false])
})

test('knows what is about to be appended, and is idle when nothing is', async () => {
  let open = () => {}
  const gate = new Promise<void>(resolve => (open = resolve))
  const { appended, line, push } = await setUp(async () => gate)
  const pushes = ['a', 'b'].map(push)
  expect(line.knows('b')).toBe(true)
  let idle = false
  void line.idle().then(() => (idle = true))
  await new Promise(resolve => setImmediate(resolve))
  expect(idle).toBe(false)
  open()
  await Promise.all(pushes)
  await line.idle()
  expect(appended).toEqual(['a', 'b'])
})

test('names a message by chat, author and id, whatever device it came from', () => {
  const key = { remoteJid: '1@s.whatsapp.net', fromMe: false, id: 'A' }
  const name = nameOf(key)
  expect(name).toHaveLength(16)
  expect(nameOf({ ...key, remoteJid: '1:5@s.whatsapp.net', participant: '' })).toBe(name)
  const others = [{ id: 'B' }, { fromMe: true }, { remoteJid: '2@s.whatsapp.net' }, { participant: '3@lid' }]
  expect(nameOf({ ...key, remoteJid: '1@hosted' })).toBe(name)
  expect(nameOf(key, 'edited')).toBe(name)
  expect(new Set([name, ...others.map(other => nameOf({ ...key, ...other }))]).size).toBe(5)
})

test('names a post of a channel by its content, too: an edited one keeps its id', () => {
  const key = { remoteJid: '1@newsletter', fromMe: false, id: 'A' }
  expect(nameOf(key, { conversation: 'first' })).toBe(nameOf(key, { conversation: 'first' }))
  expect(nameOf(key, { conversation: 'first' })).not.toBe(nameOf(key, { conversation: 'edited' }))
})
