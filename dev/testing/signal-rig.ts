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
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { keys } from '../../shared/keys.ts'
import { createCipher } from '../../worker/credentials/cipher.ts'
import { openCredentials, type Credentials } from '../../worker/credentials/store.ts'
import type { Fence } from '../../worker/ownership/fence.ts'
import { baileysLog } from '../../worker/whatsapp/baileys-log.ts'
import { undoFailedAttempts } from '../../worker/baileys/process/failed-attempts.ts'
import { guardWrites } from '../../worker/baileys/socket/writes.ts'
import type { RawSocket } from '../../worker/baileys/socket/raw-socket.ts'
import { reuseRecords } from '../../worker/baileys/process/reuse-records.ts'
import { silenceConsole } from '../../worker/baileys/process/console.ts'
import { socketKeys } from '../../worker/baileys/signal/socket-keys.ts'
import { writeAhead } from '../../worker/baileys/signal/write-ahead.ts'
import { startRedis } from '../redis/start.ts'

export const sessionId = 'user-123'
export const fence: Fence = {
  partition: 0,
  epoch: 1,
  token: 'w:1',
  valid: () => true,
  signal: new AbortController().signal,
}
export const group = '1234567890@g.us'
export const aliceJid = '6281:1@s.whatsapp.net'
export const bobJid = '6282@s.whatsapp.net'
export const bobLid = '1282@lid'

/** Baileys' own repository. */
export const bare = DEFAULT_CONNECTION_CONFIG.makeSignalRepository

const cipher = createCipher([randomBytes(32).toString('base64')])
const quiet = pino({ level: 'silent' })
const log = baileysLog(quiet)
const transactions = { maxCommitRetries: 1, delayBetweenTriesMs: 1 }
const noLids = async () => []
const noop = () => undefined

/** Alice, whose keys are in a Redis of her own. */
export interface SignalRig {
  redis: Redis
  alice(creds: AuthenticationCreds, make?: typeof writeAhead): Alice
}

export type Alice = ReturnType<typeof aliceWith>

/** Keeps it for the tests of a file: it is there from the first on. */
export function signalRig(): SignalRig {
  const rig = {} as SignalRig
  let parts: Awaited<ReturnType<typeof start>>
  beforeAll(async () => {
    parts = await start()
    Object.assign(rig, parts)
  })
  afterAll(async () => parts.close())
  // What the last test still stores is stored before.
  beforeEach(async () => parts.reset())
  return rig
}

async function start(): Promise<SignalRig & { reset(): Promise<void>; close(): Promise<void> }> {
  const restoreConsole = silenceConsole(quiet)
  undoFailedAttempts()
  reuseRecords()
  const server = await startRedis()
  const redis = new Redis(server.url)
  let stores: Credentials[] = []
  return {
    redis,
    alice(creds, make = writeAhead) {
      const alice = aliceWith(redis, creds, make)
      stores.push(alice.store)
      return alice
    },
    async reset() {
      await Promise.all(stores.map(async store => store.close()))
      stores = []
      await redis.flushall()
      await redis.set(keys.lease(0), fence.token)
    },
    async close() {
      restoreConsole()
      redis.disconnect()
      await server.close()
    },
  }
}

/** A worker's view of Alice: as after each start, nothing is in memory. */
function aliceWith(redis: Redis, creds: AuthenticationCreds, make: typeof writeAhead) {
  const store = openCredentials({ redis, log: quiet, fence, cipher }, sessionId)
  const left: unknown[] = []
  const socket = { send: (frame: unknown) => void left.push(frame), terminate: noop, on: noop }
  const raw: RawSocket = { close: async () => undefined, socket }
  const gate = guardWrites(raw, fence)
  const ended = Promise.withResolvers<unknown>()
  const durable = socketKeys(store, () => gate.hold(), ended.resolve)
  const signalKeys = addTransactionCapability(durable, log, transactions)
  const signal = make(durable)({ creds, keys: signalKeys }, log, noLids)
  /** Writes to the socket. */
  const write = (frame: unknown): void => socket.send(frame)
  return { store, signalKeys, signal, gate, write, left, ended: ended.promise }
}

/** Bob, whom Baileys serves as it is. */
export function bob() {
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

export const text = (value: Uint8Array): string => Buffer.from(value).toString()
