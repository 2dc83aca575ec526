import { once } from 'node:events'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../../dev/stack/until.ts'
import { startRig, type Rig } from '../../dev/testing/session-rig.ts'
import { keys } from '../../shared/keys.ts'
import { createOutbox } from '../outbox/append.ts'
import { FencedError } from '../redis/fenced.ts'
import type { Fence, Outbox } from '../types.ts'
import { createAttach } from '../whatsapp/attach.ts'
import { log, textsOf } from './testing.ts'

const BUDI = '628110000801'

let rig: Rig

beforeAll(async () => {
  rig = await startRig()
})
afterAll(async () => rig.close())
beforeEach(async () => rig.reset())
afterEach(async () => rig.closeOwners())

/** Where an owner crashes when a message comes in. */
type Point = 'before the append' | 'between append and keys' | 'before the receipt'

/** An owner that comes to a halt at `point`, as soon as it is armed. */
async function owner(point?: Point) {
  const outbox = createOutbox({ redis: rig.redis, log, clock: { now: Date.now, monotonic: () => performance.now() } })
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
  const self = await rig.owner({ attach: createAttach({ outbox: { ...outbox, append } }) })
  return { ...self, arm: () => void (armed = true), halted: halted.promise }
}

async function lost({ signal, partition }: Fence): Promise<never> {
  await once(signal, 'abort')
  throw new FencedError(partition)
}

const texts = async () => textsOf(rig.redis, rig.sessionId)
const arrived = (text: string) => until(text, async () => (await texts()).includes(text))

/** The Signal records that are stored, by field. */
async function records(): Promise<Map<string, string>> {
  const stored = Object.entries(await rig.redis.hgetall(keys.credentials(rig.sessionId)))
  return new Map(stored.filter(([field]) => /^(session|sender-key|pre-key):/.test(field)))
}

/** What the device still owes WhatsApp a receipt for. */
async function owed(phone: string): Promise<number> {
  const account = (await rig.whatsapp.accounts()).accounts.find(each => each.phone === phone)
  return account?.devices.reduce((sum, { pending }) => sum + pending, 0) ?? 0
}

/** What was asked for again since the simulator was started. */
const askedAgain = async () =>
  (await rig.whatsapp.log({ kind: 'problem' })).filter(({ detail }) => detail?.includes('asked for retry'))

describe.each([
  ['a contact', async (phone: string) => phone],
  ['a group', async (phone: string) => (await rig.whatsapp.createGroup(BUDI, 'Talk', [phone])).jid],
])('a worker that dies while it takes a message of %s', (_source, chatWith) => {
  describe.each([
    ['the first', 0],
    ['a later one', 3],
  ])('%s', (_which, before) => {
    it.each(['before the append', 'between append and keys', 'before the receipt'] as const)(
      '%s: the next has it once, and asks nobody for it',
      async point => {
        const first = await owner(point)
        const phone = await rig.link(first)
        const chat = await chatWith(phone)
        for (let n = 0; n < before; n++) {
          await rig.whatsapp.sendText(BUDI, chat, `before ${n}`)
          await arrived(`before ${n}`)
        }
        await until('all receipts', async () => (await owed(phone)) === 0)
        const askedBefore = (await askedAgain()).length
        const recordsBefore = await records()

        first.arm()
        await rig.whatsapp.sendText(BUDI, chat, 'the one')
        await first.halted
        const socketEnds = point === 'before the receipt'
        await until('the end', async () => !socketEnds || (await rig.whatsapp.connections()).connections.length === 0)
        expect(isDeepStrictEqual(await records(), recordsBefore)).toBe(!socketEnds)
        expect(await owed(phone)).toBe(1)
        first.abort()

        const next = await owner()
        await next.sessions.restore()
        await rig.isReady(next)
        await until('the receipt', async () => (await owed(phone)) === 0)
        await rig.whatsapp.sendText(BUDI, chat, 'after it')
        await arrived('after it')
        const expected = [...Array.from({ length: before }, (_, n) => `before ${n}`), 'the one', 'after it']
        expect(await texts()).toEqual(expected)
        expect((await askedAgain()).slice(askedBefore)).toEqual([])
      },
    )
  })
})
