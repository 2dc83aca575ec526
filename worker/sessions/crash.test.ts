import { once } from 'node:events'
import { isDeepStrictEqual } from 'node:util'
import type { WASocket } from '@whiskeysockets/baileys'
import { describe, expect, it } from 'vitest'
import { until } from '../../dev/stack/until.ts'
import { sessionRig } from '../../dev/testing/session-rig.ts'
import { keys } from '../../shared/keys.ts'
import { createOutbox } from '../outbox/append.ts'
import { FencedError } from '../redis/fenced.ts'
import { MOST_IN_FLIGHT } from '../whatsapp/follow-inbound.ts'
import type { Fence } from '../ownership/fence.ts'
import type { Outbox } from '../outbox/outbox.ts'
import { createAttach } from '../whatsapp/attach.ts'
import { around, log, textsOf } from '../../dev/testing/owner.ts'
import { createBudget } from '../outbox/budget.ts'

const budget = createBudget({ session: Infinity, partition: Infinity })

const BUDI = '628110000801'

const rig = sessionRig()

/** Where an owner crashes when a message comes in. */
type Point = 'before the append' | 'between append and keys' | 'before the receipt'

/** An owner that comes to a halt at `point`, as soon as it is armed. */
async function owner(point?: Point) {
  const outbox = createOutbox({
    redis: rig.redis,
    log,
    clock: { now: Date.now, monotonic: () => performance.now() },
    budget,
  })
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
  const secrets = { keep: async () => {}, find: async () => undefined }
  const attach = createAttach({ outbox: { ...outbox, append }, budget, secrets })
  const self = await rig.owner({ attach })
  return { ...self, attach, arm: () => void (armed = true), halted: halted.promise }
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
  return new Map(stored.filter(([field]) => /^(session|sender-key|pre-key)\./.test(field)))
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

describe('a message in the hands of Baileys', () => {
  /** An owner of an open session whose sockets pass by `watch` first. */
  async function watched(watch: (sock: WASocket) => void) {
    const { attach } = await rig.owner()
    const self = await rig.owner({
      attach: around(attach, follow => socket => {
        watch(socket.sock)
        return follow(socket)
      }),
    })
    return { self, phone: await rig.link(self) }
  }

  const texted = async (phone: string, text: string) => {
    await rig.whatsapp.sendText(BUDI, phone, text)
    await arrived(text)
  }
  const receipted = (phone: string) => until('all receipts', async () => (await owed(phone)) === 0)

  it('waits for no answer of WhatsApp: of a number that has no LID', async () => {
    await rig.whatsapp.numbers({ withoutLid: [BUDI] })
    const self = await rig.owner()
    const phone = await rig.link(self)
    const asked = async () =>
      (await rig.whatsapp.log({ phone, kind: 'frame' })).filter(({ xmlns }) => xmlns === 'usync')
    const before = (await asked()).length
    await texted(phone, 'by number')
    await receipted(phone)
    // Before the decryption, and not again while nothing could leave.
    expect(await asked()).toHaveLength(before + 1)
    const { jid: group } = await rig.whatsapp.createGroup(BUDI, 'Talk', [phone])
    await texted(group, 'in a group')
    await rig.send(self, BUDI, 'an answer')
    await texted(phone, 'again')
    expect(await texts()).toEqual(['by number', 'in a group', 'again'])
    expect(await rig.connections(phone)).toHaveLength(1)
    await rig.whatsapp.numbers({ withoutLid: [] })
  })

  it('brings no sender key under a name that is no group’s: Baileys has a lock of that name', async () => {
    const processed: unknown[] = []
    const { phone } = await watched(({ signalRepository }) => {
      const decrypt = signalRepository.decryptMessage.bind(signalRepository)
      signalRepository.decryptMessage = async part => {
        const plain = await decrypt(part)
        const item = { groupId: '628110000801:1@s.whatsapp.net' }
        await signalRepository
          .processSenderKeyDistributionMessage({ item, authorJid: `${BUDI}@s.whatsapp.net` })
          .catch((error: unknown) => processed.push(error))
        return plain
      }
    })
    await texted(phone, 'with a key')
    expect(processed).toContainEqual(new Error('a sender key is for a group'))
  })

  it('is not taken for another that Baileys is done with meanwhile', async () => {
    const halted = await owner('before the append')
    let after: (() => void) | undefined
    const attach = around(halted.attach, follow => socket => {
      const attachment = follow(socket)
      const { messageRetryManager: manager } = socket.sock
      const cancel = manager?.cancelPendingPhoneRequest.bind(manager)
      if (manager !== null && cancel !== undefined) {
        manager.cancelPendingPhoneRequest = id => {
          cancel(id)
          const crossing = after
          after = undefined
          if (crossing !== undefined) manager.markRetrySuccess('OURS')
          crossing?.()
        }
      }
      return attachment
    })
    const self = await rig.owner({ attach })
    const phone = await rig.link(self)
    const crossed = Promise.withResolvers<void>()
    after = crossed.resolve
    halted.arm()
    await rig.whatsapp.sendText(BUDI, phone, 'the one')
    await Promise.all([crossed.promise, halted.halted])
    // What leaves leaves in a turn or two.
    await rig.whatsapp.accounts()
    expect(await owed(phone)).toBe(1)
    self.abort()
    halted.abort()
  })

  it('is decrypted when there is room for its name, so that all are known that come again', async () => {
    let decrypted = 0
    const halted = await owner('between append and keys')
    const self = await rig.owner({
      attach: around(halted.attach, follow => socket => {
        const { signalRepository } = socket.sock
        const decrypt = signalRepository.decryptMessage.bind(signalRepository)
        signalRepository.decryptMessage = async part => {
          decrypted += 1
          return decrypt(part)
        }
        return follow(socket)
      }),
    })
    const phone = await rig.link(self)
    await receipted(phone)
    decrypted = 0
    halted.arm()
    const wanted = Array.from({ length: MOST_IN_FLIGHT + 50 }, (_, n) => `text ${n}`)
    for (const text of wanted) await rig.whatsapp.sendText(BUDI, phone, text)
    await until('the room to be full', () => decrypted >= MOST_IN_FLIGHT)
    await rig.whatsapp.accounts()
    expect(decrypted).toBe(MOST_IN_FLIGHT)
    self.abort()
    halted.abort()
    const next = await rig.owner()
    await next.sessions.restore()
    await receipted(phone)
    expect(await texts()).toEqual(wanted)
  })

  it('is stored though its socket closes while its keys are read', async () => {
    const first = await rig.owner()
    const phone = await rig.link(first)
    await texted(phone, 'before')
    await receipted(phone)
    await first.sessions.close()
    const askedBefore = (await askedAgain()).length

    const next = await rig.owner()
    await next.sessions.restore()
    await rig.isReady(next)
    const read = rig.redis.callBuffer.bind(rig.redis)
    const reading = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    rig.redis.callBuffer = (async (...args: Parameters<typeof read>) => {
      if (args.some(arg => String(arg).startsWith('session.'))) {
        reading.resolve()
        await goOn.promise
      }
      return read(...args)
    }) as typeof read
    await rig.whatsapp.sendText(BUDI, phone, 'the one')
    await reading.promise
    await rig.whatsapp.disconnect(phone, { how: 'cut' })
    await until('the end of the socket', () => !next.sessions.ready(rig.sessionId))
    rig.redis.callBuffer = read
    goOn.resolve()
    await rig.isReady(next)
    await receipted(phone)
    await texted(phone, 'after')
    expect(await texts()).toEqual(['before', 'the one', 'after'])
    expect((await askedAgain()).slice(askedBefore)).toEqual([])
  })
})
