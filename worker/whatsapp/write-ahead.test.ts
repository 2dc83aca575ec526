import { randomBytes } from 'node:crypto'
import {
  addTransactionCapability,
  DEFAULT_CONNECTION_CONFIG,
  generateSignalPubKey,
  initAuthCreds,
  type AuthenticationCreds,
  type SignalKeyStore,
} from '@whiskeysockets/baileys'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { keys } from '../../shared/keys.ts'
import { createCipher } from '../credentials/cipher.ts'
import { openCredentials } from '../credentials/store.ts'
import { FencedError } from '../redis/fenced.ts'
import type { Fence } from '../types.ts'
import { baileysLog } from './baileys-log.ts'
import { undoFailedAttempts } from './failed-attempts.ts'
import { gateFrames } from './frame-gate.ts'
import type { RawSocket } from './guard-socket.ts'
import { reuseRecords } from './reuse-records.ts'
import { silenceConsole } from './silence.ts'
import { socketKeys } from './socket-keys.ts'
import { writeAhead } from './write-ahead.ts'

const sessionId = 'user-123'
const cipher = createCipher([randomBytes(32).toString('base64')])
const fence: Fence = { partition: 0, epoch: 1, token: 'w:1', valid: () => true, signal: new AbortController().signal }
const quiet = pino({ level: 'silent' })
const log = baileysLog(quiet)
const group = '1234567890@g.us'
const aliceJid = '6281:1@s.whatsapp.net'
const bobJid = '6282@s.whatsapp.net'
const bobLid = '1282@lid'

let server: RunningRedis
let redis: Redis

let restoreConsole: () => void

beforeAll(async () => {
  restoreConsole = silenceConsole(quiet)
  undoFailedAttempts()
  reuseRecords()
  server = await startRedis()
  redis = new Redis(server.url)
})
afterAll(async () => {
  restoreConsole()
  redis.disconnect()
  await server.close()
})
beforeEach(async () => {
  await redis.flushall()
  await redis.set(keys.lease(0), fence.token)
})

const transactions = { maxCommitRetries: 1, delayBetweenTriesMs: 1 }
const bare = DEFAULT_CONNECTION_CONFIG.makeSignalRepository
const noLids = async () => []
const noop = () => undefined

/** A worker's view of Alice: as after each start, nothing is in memory. */
function alice(creds: AuthenticationCreds, make = writeAhead) {
  const store = openCredentials({ redis, log: quiet, fence, cipher }, sessionId)
  const left: unknown[] = []
  const socket = { send: (frame: unknown) => void left.push(frame), terminate: noop, on: noop }
  const raw: RawSocket = { close: async () => undefined, socket }
  const gate = gateFrames(raw)
  const ended = Promise.withResolvers<unknown>()
  const durable = socketKeys(store, () => gate.hold(), ended.resolve)
  const signalKeys = addTransactionCapability(durable, log, transactions)
  const signal = make(durable)({ creds, keys: signalKeys }, log, noLids)
  /** Writes to the socket. */
  const write = (frame: unknown): void => socket.send(frame)
  return { store, signalKeys, signal, gate, write, left, ended: ended.promise }
}

function bob() {
  const creds = initAuthCreds()
  const preKey = initAuthCreds().signedIdentityKey
  const values = new Map<string, unknown>([['pre-key:1', preKey]])
  const signalKeys: SignalKeyStore = {
    get: (type, ids) => Object.fromEntries(ids.map(id => [id, values.get(`${type}:${id}`)])) as never,
    set: mutations => {
      for (const [type, data] of Object.entries(mutations)) {
        for (const [id, value] of Object.entries(data ?? {})) values.set(`${type}:${id}`, value ?? undefined)
      }
    },
  }
  const signal = bare({ creds, keys: addTransactionCapability(signalKeys, log, transactions) }, log, noLids)
  const bundle = {
    registrationId: creds.registrationId,
    identityKey: generateSignalPubKey(creds.signedIdentityKey.public),
    signedPreKey: {
      keyId: creds.signedPreKey.keyId,
      publicKey: generateSignalPubKey(creds.signedPreKey.keyPair.public),
      signature: creds.signedPreKey.signature,
    },
    preKey: { keyId: 1, publicKey: generateSignalPubKey(preKey.public) },
  }
  return { signal, bundle }
}

/** A record as libsignal writes it. */
interface Closable {
  _sessions: Record<string, { indexInfo: { closed: number } }>
}

const crash = new Error('killed')

/** A send as Baileys does it, killed after the bytes went out and before its commit. */
async function sendAndDie<T>(self: ReturnType<typeof alice>, encrypt: () => Promise<T>): Promise<T> {
  let sent: T | undefined
  const send = self.signalKeys.transaction(async () => {
    sent = await encrypt()
    await self.gate.passed()
    throw crash
  }, aliceJid)
  await expect(send).rejects.toBe(crash)
  return sent as T
}

const text = (value: Uint8Array) => Buffer.from(value).toString()

async function twoTexts(make?: typeof writeAhead): Promise<string[]> {
  const creds = initAuthCreds()
  const friend = bob()
  const linking = alice(creds)
  await linking.signal.injectE2ESession({ jid: bobJid, session: friend.bundle })
  await linking.gate.passed()
  const read: string[] = []
  for (const body of ['one', 'two']) {
    const self = alice(creds, make)
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
  const self = alice(creds, make)
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

/** Texts to Bob's number, each while a text of his is read that came from his LID. */
async function byBothNames(): Promise<string[]> {
  const friend = bob()
  const { signal } = alice(initAuthCreds())
  await signal.lidMapping.storeLIDPNMappings([{ lid: bobLid, pn: bobJid }])
  await signal.injectE2ESession({ jid: bobJid, session: friend.bundle })
  const read: string[] = []
  for (const body of ['zero', 'one', 'two', 'three']) {
    const sending = signal.encryptMessage({ jid: bobJid, data: Buffer.from(body) })
    if (read.length > 0) {
      const answer = await friend.signal.encryptMessage({ jid: aliceJid, data: Buffer.from('hello') })
      await signal.decryptMessage({ jid: bobLid, ...answer })
    }
    read.push(text(await friend.signal.decryptMessage({ jid: aliceJid, ...(await sending) })))
  }
  return read
}

/** Texts to Bob's number around the moment at which his LID becomes known, `steps` microtasks after the first of them. */
async function migrating(steps: number, devicesAreKnown: boolean): Promise<string[]> {
  const friend = bob()
  const { signal, store, gate } = alice(initAuthCreds())
  const sent: Awaited<ReturnType<typeof signal.encryptMessage>>[] = []
  const toBob = async (body: string) =>
    void sent.push(await signal.encryptMessage({ jid: bobJid, data: Buffer.from(body) }))
  // Without it Baileys moves nothing.
  if (devicesAreKnown) await store.set({ 'device-list': { [bobJid.split('@')[0] ?? '']: ['0'] } })
  await signal.injectE2ESession({ jid: bobJid, session: friend.bundle })
  await toBob('zero')
  const crossing = [toBob('one'), toBob('two'), toBob('three')]
  for (let i = 0; i < steps; i++) await Promise.resolve()
  await signal.lidMapping.storeLIDPNMappings([{ lid: bobLid, pn: bobJid }])
  crossing.push(toBob('four'))
  await signal.migrateSession(bobJid, bobLid)
  await Promise.all(crossing)
  await toBob('five')
  await gate.passed()
  const read: string[] = []
  for (const each of sent) read.push(text(await friend.signal.decryptMessage({ jid: aliceJid, ...each })))
  return read
}

/** A text of Bob's that was on its way while his LID became known and got a new session. */
async function afterSessionUnderLid(): Promise<string> {
  const friend = bob()
  const { signal } = alice(initAuthCreds())
  const toAlice = async (body: string) => friend.signal.encryptMessage({ jid: aliceJid, data: Buffer.from(body) })
  await signal.injectE2ESession({ jid: bobJid, session: friend.bundle })
  const first = await signal.encryptMessage({ jid: bobJid, data: Buffer.from('zero') })
  await friend.signal.decryptMessage({ jid: aliceJid, ...first })
  await signal.decryptMessage({ jid: bobJid, ...(await toAlice('hello')) })
  const late = await toAlice('late')
  await signal.lidMapping.storeLIDPNMappings([{ lid: bobLid, pn: bobJid }])
  const { preKey: _, ...withoutPreKey } = friend.bundle
  await signal.injectE2ESession({ jid: bobLid, session: withoutPreKey })
  await signal.migrateSession(bobJid, bobLid)
  return text(await signal.decryptMessage({ jid: bobLid, ...late }))
}

/** A text under a new session, made while the contact's last text under the session before was on its way. */
async function afterNewSession(): Promise<string> {
  const friend = bob()
  const { signal } = alice(initAuthCreds())
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
      const self = alice(creds)
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
    const { [id]: record } = await alice(creds).store.get('sender-key', [id])
    expect(JSON.parse(text(record ?? Buffer.from('[]')))).toMatchObject([{ senderMessageKeys: [] }])
  })

  it('stores the records of one message to many devices in one call, and commits no more of them', async () => {
    const creds = initAuthCreds()
    const self = alice(creds)
    const jids = Array.from({ length: 20 }, (_, i) => `62${80 + i}@s.whatsapp.net`)
    for (const jid of jids) await self.signal.injectE2ESession({ jid, session: bob().bundle })
    await self.gate.passed()
    const calls = vi.spyOn(redis, 'evalsha')
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

  it('goes one way for a contact with two names, written to by number and read from by LID', async () => {
    expect(await byBothNames()).toEqual(['zero', 'one', 'two', 'three'])
  })

  it('goes on under the LID when it becomes known, whenever that is', async () => {
    for (let steps = 0; steps < 120; steps++) {
      expect(await migrating(steps, steps % 2 === 0)).toEqual(['zero', 'one', 'two', 'three', 'four', 'five'])
      await redis.del(keys.credentials(sessionId))
    }
  })

  it('keeps what a contact had by number when the LID gets a session of its own', async () => {
    expect(await afterSessionUnderLid()).toBe('late')
  })

  it('waits for nobody when asked to move what cannot be moved', async () => {
    const { signal } = alice(initAuthCreds())
    for (const [from, to] of [
      [bobLid, bobJid],
      [bobJid, bobJid],
      [bobLid, bobLid],
    ] as const) {
      expect(await signal.migrateSession(from, to)).toMatchObject({ migrated: 0 })
    }
  })

  it('keeps a new session whole when a late text still belongs to the one before', async () => {
    expect(await afterNewSession()).toBe('two')
  })

  it('lets a text leave when its record is stored, and those made meanwhile together', async () => {
    const friend = bob()
    const self = alice(initAuthCreds())
    await self.signal.injectE2ESession({ jid: bobJid, session: friend.bundle })
    await self.gate.passed()
    const calls = vi.spyOn(redis, 'evalsha')
    const control = redis.duplicate()
    await control.client('PAUSE', 10_000, 'WRITE')
    const send = async (body: string) =>
      self.write(await self.signal.encryptMessage({ jid: bobJid, data: Buffer.from(body) }))
    await send('one')
    await vi.waitUntil(() => calls.mock.calls.length === 1)
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

  it('knows at any time whether a contact has an open session, under both names', async () => {
    const { signal, store } = alice(initAuthCreds())
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
    const self = alice(initAuthCreds())
    await self.signal.injectE2ESession({ jid: bobJid, session: friend.bundle })
    const first = await self.signal.encryptMessage({ jid: bobJid, data: Buffer.from('hi') })
    await friend.signal.decryptMessage({ jid: aliceJid, ...first })
    const answer = await friend.signal.encryptMessage({ jid: aliceJid, data: Buffer.from('hello') })
    await self.gate.passed()
    const before = await redis.hgetallBuffer(keys.credentials(sessionId))
    const store = self.store.hold()
    await self.signal.decryptMessage({ jid: bobJid, ...answer })
    self.write('the receipt')
    expect(await redis.hgetallBuffer(keys.credentials(sessionId))).toEqual(before)
    expect(self.left).toEqual([])
    store()
    await self.gate.passed()
    expect(await redis.hgetallBuffer(keys.credentials(sessionId))).not.toEqual(before)
    expect(self.left).toEqual(['the receipt'])
  })

  it('lets no frame leave, and has ended the socket, when the record cannot be stored', async () => {
    const creds = initAuthCreds()
    const friend = bob()
    const self = alice(creds)
    await self.signal.injectE2ESession({ jid: bobJid, session: friend.bundle })
    await self.gate.passed()
    await redis.set(keys.lease(0), 'other:2')
    self.write(await self.signal.encryptMessage({ jid: bobJid, data: Buffer.from('hi') }))
    expect(await self.ended).toBeInstanceOf(FencedError)
    self.write('another')
    await redis.set(keys.lease(0), fence.token)
    await self.store.set({ session: { other: { _sessions: {}, version: 'v1' } } as never })
    expect(self.left).toEqual([])
  })
})
