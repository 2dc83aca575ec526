import { once } from 'node:events'
import { isDeepStrictEqual } from 'node:util'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { createSimulatorClient, type SimulatorClient } from '../../dev/simulator/client.ts'
import { startSimulator, type Simulator } from '../../dev/simulator/index.ts'
import { until } from '../../dev/stack/until.ts'
import { keys } from '../../shared/keys.ts'
import { createOutbox } from '../outbox/append.ts'
import { FencedError } from '../redis/fenced.ts'
import type { Fence, Outbox } from '../types.ts'
import { createAttach } from '../whatsapp/attach.ts'
import { log, newKey, own, textsOf, viewOf, type TestOwner, type TestWorld } from './testing.ts'

const BUDI = '628110000801'
const sessionId = 'user-1'

let server: RunningRedis
let redis: Redis
let simulator: Simulator
let whatsapp: SimulatorClient
let world: TestWorld
let owners: TestOwner[]

beforeAll(async () => {
  server = await startRedis()
  redis = new Redis(server.url, { maxRetriesPerRequest: null })
  simulator = await startSimulator()
  whatsapp = createSimulatorClient(simulator.controlUrl)
})
afterAll(async () => {
  await simulator.close()
  redis.disconnect()
  await server.close()
})
beforeEach(async () => {
  await redis.flushall()
  world = {
    redis,
    socket: { url: simulator.waUrl, noiseRootKey: Buffer.from(simulator.rootKeyHex, 'hex') },
    credentialsKey: newKey(),
  }
  owners = []
})
afterEach(async () => {
  for (const owner of owners) owner.abort()
  await Promise.all(owners.map(({ sessions }) => sessions.close()))
})

/** Where an owner crashes when a message comes in. */
type Point = 'before the append' | 'between append and keys' | 'before the receipt'

/** An owner that comes to a halt at `point`, as soon as it is armed. */
async function owner(point?: Point) {
  const outbox = createOutbox({ redis, log, clock: { now: Date.now, monotonic: () => performance.now() } })
  const halted = Promise.withResolvers<void>()
  let armed = false

  const append: Outbox['append'] = async (fence, event, along) => {
    if (!armed || event.event !== 'messages.upsert') return outbox.append(fence, event, along)
    if (point !== 'before the append') await outbox.append(fence, event, along)
    halted.resolve()
    if (point !== 'before the receipt') return lost(fence)
    // Redis gets what it still gets; the socket refuses the receipt, and ends.
    self.fence.valid = () => false
    return 1
  }
  const self = await own(world, { attach: createAttach({ outbox: { ...outbox, append } }) })
  owners.push(self)
  return { ...self, arm: () => void (armed = true), halted: halted.promise }
}

async function lost({ signal, partition }: Fence): Promise<never> {
  await once(signal, 'abort')
  throw new FencedError(partition)
}

async function link(self: TestOwner): Promise<string> {
  await self.run('START_SESSION', { sessionId })
  const qr = await until('a qr', async () => (await viewOf(redis, sessionId))?.qr)
  const { phone } = await whatsapp.scan(qr)
  await isOpen(self)
  return phone
}

const isOpen = (self: TestOwner) => until('readiness', () => self.sessions.ready(sessionId))
const arrived = (text: string) => until(text, async () => (await textsOf(redis, sessionId)).includes(text))

/** The Signal records that are stored, by field. */
async function records(): Promise<Map<string, string>> {
  const stored = Object.entries(await redis.hgetall(keys.credentials(sessionId)))
  return new Map(stored.filter(([field]) => /^(session|sender-key|pre-key):/.test(field)))
}

/** What the device still owes WhatsApp a receipt for. */
async function owed(phone: string): Promise<number> {
  const account = (await whatsapp.accounts()).accounts.find(each => each.phone === phone)
  return account?.devices.reduce((sum, { pending }) => sum + pending, 0) ?? 0
}

/** What was asked for again since the simulator was started. */
const askedAgain = async () =>
  (await whatsapp.log({ kind: 'problem' })).filter(({ detail }) => detail?.includes('asked for retry'))

describe.each([
  ['a contact', async (phone: string) => phone],
  ['a group', async (phone: string) => (await whatsapp.createGroup(BUDI, 'Talk', [phone])).jid],
])('a worker that dies while it takes a message of %s', (_source, chatWith) => {
  describe.each([
    ['the first', 0],
    ['a later one', 3],
  ])('%s', (_which, before) => {
    it.each(['before the append', 'between append and keys', 'before the receipt'] as const)(
      '%s: the next has it once, and asks nobody for it',
      async point => {
        const first = await owner(point)
        const phone = await link(first)
        const chat = await chatWith(phone)
        for (let n = 0; n < before; n++) {
          await whatsapp.sendText(BUDI, chat, `before ${n}`)
          await arrived(`before ${n}`)
        }
        await until('all receipts', async () => (await owed(phone)) === 0)
        const askedBefore = (await askedAgain()).length
        const recordsBefore = await records()

        first.arm()
        await whatsapp.sendText(BUDI, chat, 'the one')
        await first.halted
        const socketEnds = point === 'before the receipt'
        await until('the end', async () => !socketEnds || (await whatsapp.connections()).connections.length === 0)
        expect(isDeepStrictEqual(await records(), recordsBefore)).toBe(!socketEnds)
        expect(await owed(phone)).toBe(1)
        first.abort()

        const next = await owner()
        await next.sessions.restore()
        await isOpen(next)
        await until('the receipt', async () => (await owed(phone)) === 0)
        await whatsapp.sendText(BUDI, chat, 'after it')
        await arrived('after it')
        const expected = [...Array.from({ length: before }, (_, n) => `before ${n}`), 'the one', 'after it']
        expect(await textsOf(redis, sessionId)).toEqual(expected)
        expect((await askedAgain()).slice(askedBefore)).toEqual([])
      },
    )
  })
})
