import { initAuthCreds } from '@whiskeysockets/baileys'
import { describe, expect, it, vi } from 'vitest'
import {
  aliceJid,
  bare,
  bob,
  bobJid,
  bobLid,
  fence,
  group,
  sessionId,
  signalRig,
  text,
  type Alice,
} from '../../../dev/testing/signal-rig.ts'
import { keys } from '../../../shared/keys.ts'
import { FencedError } from '../../redis/fenced.ts'
import { writeAhead } from './write-ahead.ts'

const rig = signalRig()

/** A record as libsignal writes it. */
interface Closable {
  _sessions: Record<string, { indexInfo: { closed: number } }>
}

const crash = new Error('killed')

/** A send as Baileys does it, killed after the bytes went out and before its commit. */
async function sendAndDie<T>(self: Alice, encrypt: () => Promise<T>): Promise<T> {
  let sent: T | undefined
  const send = self.signalKeys.transaction(async () => {
    sent = await encrypt()
    await self.gate.passed()
    throw crash
  }, aliceJid)
  await expect(send).rejects.toBe(crash)
  return sent as T
}

async function twoTexts(make?: typeof writeAhead): Promise<string[]> {
  const creds = initAuthCreds()
  const friend = bob()
  const linking = rig.alice(creds)
  await linking.signal.injectE2ESession({ jid: bobJid, session: friend.bundle })
  await linking.gate.passed()
  const read: string[] = []
  for (const body of ['one', 'two']) {
    const self = rig.alice(creds, make)
    const { type, ciphertext } = await sendAndDie(self, () =>
      self.signal.encryptMessage({ jid: bobJid, data: Buffer.from(body) }),
    )
    read.push(text(await friend.signal.decryptMessage({ jid: aliceJid, type, ciphertext })))
  }
  return read
}

/** Two texts out, the first while a decryption from the same contact is between its reading and its commit. */
async function crossing(make?: typeof writeAhead): Promise<string[]> {
  const creds = initAuthCreds()
  const friend = bob()
  const self = rig.alice(creds, make)
  const toBob = async (body: string) => self.signal.encryptMessage({ jid: bobJid, data: Buffer.from(body) })
  const atBob = async ({ type, ciphertext }: Awaited<ReturnType<typeof toBob>>) =>
    text(await friend.signal.decryptMessage({ jid: aliceJid, type, ciphertext }))
  const toAlice = async () => friend.signal.encryptMessage({ jid: aliceJid, data: Buffer.from('hello') })
  const atAlice = async ({ type, ciphertext }: Awaited<ReturnType<typeof toBob>>) =>
    self.signal.decryptMessage({ jid: bobJid, type, ciphertext })

  await self.signal.injectE2ESession({ jid: bobJid, session: friend.bundle })
  await atBob(await toBob('zero'))
  await atAlice(await toAlice())
  const late = await toAlice()

  const [started, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const decryption = self.signalKeys.transaction(async () => {
    await self.signal.validateSession(bobJid)
    started.resolve()
    await gate.promise
    await atAlice(late)
  }, bobJid)
  await started.promise
  const first = await self.signalKeys.transaction(() => toBob('one'), aliceJid)
  gate.resolve()
  await decryption
  const second = await toBob('two')
  return [await atBob(first), await atBob(second)]
}

/** A text under a new session, made while the contact's last text under the session before was on its way. */
async function afterNewSession(): Promise<string> {
  const friend = bob()
  const { signal } = rig.alice(initAuthCreds())
  const toBob = async (body: string) => {
    const sent = await signal.encryptMessage({ jid: bobJid, data: Buffer.from(body) })
    return text(await friend.signal.decryptMessage({ jid: aliceJid, ...sent }))
  }
  const toAlice = async () => friend.signal.encryptMessage({ jid: aliceJid, data: Buffer.from('hello') })
  await signal.injectE2ESession({ jid: bobJid, session: friend.bundle })
  await toBob('zero')
  await signal.decryptMessage({ jid: bobJid, ...(await toAlice()) })
  await toBob('one')
  const late = await toAlice()
  const { preKey: _, ...withoutPreKey } = friend.bundle
  await signal.injectE2ESession({ jid: bobJid, session: withoutPreKey })
  await signal.decryptMessage({ jid: bobJid, ...late })
  return toBob('two')
}

describe('Signal state written ahead', () => {
  it('never uses a counter twice, though each worker died before its commit', async () => {
    expect(await twoTexts()).toEqual(['one', 'two'])
  })

  it('is what prevents it: bare Baileys uses the counter again', async () => {
    await expect(twoTexts(() => bare)).rejects.toThrow('Key used already')
  })

  it('goes on with the sender key of a group in the same way, and keeps no keys that nobody needs', async () => {
    const creds = initAuthCreds()
    const friend = bob()
    const read: string[] = []
    for (const body of ['one', 'two', 'three', 'four']) {
      const self = rig.alice(creds)
      const data = Buffer.from(body)
      const { ciphertext, senderKeyDistributionMessage } = await sendAndDie(self, () =>
        self.signal.encryptGroupMessage({ group, meId: aliceJid, data }),
      )
      if (read.length === 0) {
        const item = { groupId: group, axolotlSenderKeyDistributionMessage: senderKeyDistributionMessage }
        await friend.signal.processSenderKeyDistributionMessage({ item, authorJid: aliceJid })
      }
      read.push(text(await friend.signal.decryptGroupMessage({ group, authorJid: aliceJid, msg: ciphertext })))
    }
    expect(read).toEqual(['one', 'two', 'three', 'four'])
    const id = `${group}::6281::1`
    const { [id]: record } = await rig.alice(creds).store.get('sender-key', [id])
    expect(JSON.parse(text(record ?? Buffer.from('[]')))).toMatchObject([{ senderMessageKeys: [] }])
  })

  it('stores the records of one message to many devices in one call, and commits no more of them', async () => {
    const creds = initAuthCreds()
    const self = rig.alice(creds)
    const jids = Array.from({ length: 20 }, (_, i) => `62${80 + i}@s.whatsapp.net`)
    for (const jid of jids) await self.signal.injectE2ESession({ jid, session: bob().bundle })
    await self.gate.passed()
    const calls = vi.spyOn(rig.redis, 'evalsha')
    await self.signalKeys.transaction(async () => {
      await Promise.all(jids.map(jid => self.signal.encryptMessage({ jid, data: Buffer.from('hi') })))
    }, aliceJid)
    await self.gate.passed()
    expect(calls).toHaveBeenCalledTimes(1)
    calls.mockRestore()
  })

  it('lets no decryption that read early set a record back', async () => {
    expect(await crossing()).toEqual(['one', 'two'])
    await expect(crossing(() => bare)).rejects.toThrow('No matching sessions')
  })

  it('keeps a new session whole when a late text still belongs to the one before', async () => {
    expect(await afterNewSession()).toBe('two')
  })

  it('lets a text leave when its record is stored, and those made meanwhile together', async () => {
    const friend = bob()
    const self = rig.alice(initAuthCreds())
    await self.signal.injectE2ESession({ jid: bobJid, session: friend.bundle })
    await self.gate.passed()
    const calls = vi.spyOn(rig.redis, 'evalsha')
    const control = rig.redis.duplicate()
    await control.client('PAUSE', 10_000, 'WRITE')
    const send = async (body: string) =>
      self.write(await self.signal.encryptMessage({ jid: bobJid, data: Buffer.from(body) }))
    await send('one')
    await vi.waitUntil(() => calls.mock.calls.length === 1, { timeout: 10_000 })
    for (const body of ['two', 'three', 'four']) await send(body)
    expect(self.left).toEqual([])
    await control.client('UNPAUSE')
    await self.gate.passed()
    const read: string[] = []
    for (const sent of self.left as Awaited<ReturnType<typeof self.signal.encryptMessage>>[]) {
      read.push(text(await friend.signal.decryptMessage({ jid: aliceJid, ...sent })))
    }
    expect(read).toEqual(['one', 'two', 'three', 'four'])
    expect(calls).toHaveBeenCalledTimes(2)
    calls.mockRestore()
    control.disconnect()
  })

  it('sends nothing in a Signal session from before the data of Redis went back', async () => {
    let since = 0
    const { signal } = rig.alice(initAuthCreds(), keys => writeAhead(keys, () => since))
    await signal.injectE2ESession({ jid: bobJid, session: bob().bundle })
    expect(await signal.validateSession(bobJid)).toEqual({ exists: true })
    since = Date.now() + 1
    expect(await signal.validateSession(bobJid)).toMatchObject({ exists: false })
    await vi.waitUntil(() => Date.now() > since)
    await signal.injectE2ESession({ jid: bobJid, session: bob().bundle })
    expect(await signal.validateSession(bobJid)).toEqual({ exists: true })
  })

  it('knows at any time whether a contact has an open session, under both names', async () => {
    const { signal, store } = rig.alice(initAuthCreds())
    await signal.lidMapping.storeLIDPNMappings([{ lid: bobLid, pn: bobJid }])
    const valid = async () => {
      const found = [await signal.validateSession(bobJid), await signal.validateSession(bobLid)]
      return found.map(({ exists, reason }) => (exists ? 'open' : reason))
    }
    expect(await valid()).toEqual(['no session', 'no session'])
    await signal.injectE2ESession({ jid: bobJid, session: bob().bundle })
    for (let i = 0; i < 2; i++) expect(await valid()).toEqual(['open', 'open'])
    await signal.deleteSession([bobLid])
    expect(await valid()).toEqual(['no session', 'no session'])
    await signal.injectE2ESession({ jid: bobJid, session: bob().bundle })
    expect(await valid()).toEqual(['open', 'open'])

    const address = signal.jidToSignalProtocolAddress(bobLid)
    const { [address]: record } = (await store.get('session', [address])) as unknown as Record<string, Closable>
    for (const session of Object.values(record?._sessions ?? {})) session.indexInfo.closed = Date.now()
    await store.set({ session: { [address]: structuredClone(record) as never } })
    expect(await valid()).toEqual(['no open session', 'no open session'])
  })

  it('lets what is written after a decryption leave when its record is stored', async () => {
    const friend = bob()
    const self = rig.alice(initAuthCreds())
    await self.signal.injectE2ESession({ jid: bobJid, session: friend.bundle })
    const first = await self.signal.encryptMessage({ jid: bobJid, data: Buffer.from('hi') })
    await friend.signal.decryptMessage({ jid: aliceJid, ...first })
    const answer = await friend.signal.encryptMessage({ jid: aliceJid, data: Buffer.from('hello') })
    await self.gate.passed()
    const before = await rig.redis.hgetallBuffer(keys.credentials(sessionId))
    const store = self.store.hold(Promise.resolve())
    await self.signal.decryptMessage({ jid: bobJid, ...answer })
    self.write('the receipt')
    expect(await rig.redis.hgetallBuffer(keys.credentials(sessionId))).toEqual(before)
    expect(self.left).toEqual([])
    store()
    await self.gate.passed()
    expect(await rig.redis.hgetallBuffer(keys.credentials(sessionId))).not.toEqual(before)
    expect(self.left).toEqual(['the receipt'])
  })

  it('lets no frame leave, and has ended the socket, when the record cannot be stored', async () => {
    const creds = initAuthCreds()
    const friend = bob()
    const self = rig.alice(creds)
    await self.signal.injectE2ESession({ jid: bobJid, session: friend.bundle })
    await self.gate.passed()
    await rig.redis.set(keys.lease(0), 'other:2')
    self.write(await self.signal.encryptMessage({ jid: bobJid, data: Buffer.from('hi') }))
    expect(await self.ended).toBeInstanceOf(FencedError)
    self.write('another')
    await rig.redis.set(keys.lease(0), fence.token)
    await self.store.set({ session: { other: { _sessions: {}, version: 'v1' } } as never })
    expect(self.left).toEqual([])
  })
})
