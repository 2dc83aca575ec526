import { pino } from 'pino'
import { expect, test } from 'vitest'
import type { WebhookEvent } from '../../shared/events.ts'
import { FencedError } from '../redis/fenced.ts'
import type { SessionContext } from '../sessions/context.ts'
import type { Outbox } from '../types.ts'
import { createInboundLine, type Inbound } from './inbound.ts'

function setUp(append: (event: WebhookEvent) => Promise<void>) {
  const appended: string[] = []
  const lease = new AbortController()
  const outbox: Outbox = {
    append: async (_fence, event) => {
      await append(event)
      appended.push(event.sessionId)
      return appended.length
    },
    deleteAfterDelivery: async () => {},
  }
  const session = {
    sessionId: 'user-123',
    fence: { signal: lease.signal },
    core: { log: pino({ enabled: false }) },
  } as unknown as SessionContext
  const line = createInboundLine(outbox)
  return { appended, lease, push: async (name: string) => line.push(inbound(name), session) }
}

/** The event's session carries the name: nothing here reads the rest. */
function inbound(name: string): Inbound {
  const data = { messages: [], type: 'notify' as const }
  return { name, event: async () => ({ event: 'messages.upsert', sessionId: name, timestamp: 0, data }) }
}

test('appends in order, and tries again before it goes on', async () => {
  let failures = 2
  const { appended, push } = setUp(async ({ sessionId }) => {
    if (sessionId === 'b' && failures-- > 0) throw new Error('redis is away')
  })
  expect(await Promise.all(['a', 'b', 'c'].map(push))).toEqual([true, true, true])
  expect(appended).toEqual(['a', 'b', 'c'])
})

test('appends a message that comes again only once', async () => {
  const { appended, push } = setUp(async () => {})
  expect(await Promise.all(['a', 'b', 'a'].map(push))).toEqual([true, true, true])
  expect(await push('b')).toBe(true)
  expect(appended).toEqual(['a', 'b'])
})

test('says so when the lease is lost', async () => {
  const { appended, push } = setUp(async () => {
    throw new FencedError(0)
  })
  expect(await push('a')).toBe(false)
  expect(appended).toEqual([])
})

test('stops trying when the lease is given up', async () => {
  const { lease, push } = setUp(async () => {
    throw new Error('redis is away')
  })
  const waiting = [push('a'), push('b')]
  setTimeout(() => lease.abort(), 5)
  expect(await Promise.all(waiting)).toEqual([false, false])
})

test('takes no more than it can hold', async () => {
  let open = () => {}
  const gate = new Promise<void>(resolve => (open = resolve))
  const { appended, push } = setUp(async () => gate)
  const pushes = Array.from({ length: 2001 }, async (_, i) => push(`m${i}`))
  expect(await pushes[2000]).toBe(false)
  open()
  const results = await Promise.all(pushes)
  expect(results.filter(Boolean)).toHaveLength(2000)
  expect(appended).toHaveLength(2000)
})
