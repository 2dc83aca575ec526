import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { BufferJSON, initAuthCreds } from '@whiskeysockets/baileys'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { keys } from '../../shared/keys.ts'
import type { Fence } from '../ownership/fence.ts'
import { createCipher, UnreadableError } from './cipher.ts'
import { openCredentials } from './store.ts'

const sessionId = 'user-123'
const log = pino({ level: 'silent' })
const hash = keys.credentials(sessionId)
const secret = randomBytes(32)
const cipher = createCipher([secret.toString('base64')])
const fence: Fence = { partition: 0, epoch: 7, token: 'w:7', valid: () => true, signal: new AbortController().signal }

let server: RunningRedis
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = new Redis(server.url)
})
afterAll(async () => {
  redis.disconnect()
  await server.close()
})
beforeEach(async () => {
  await redis.flushall()
  await redis.set(keys.lease(0), fence.token)
})

const open = () => openCredentials({ redis, log, fence, cipher }, sessionId)
const session = (counter: number) => ({ _sessions: { a: { counter } }, version: 'v1' }) as unknown as Uint8Array
const preKey = () => ({ public: randomBytes(32), private: randomBytes(32) })
const preKeys = (ids: readonly number[]) => Object.fromEntries(ids.map(id => [String(id), preKey()]))
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

describe('the names of fields', () => {
  it('show no number, LID or group, nor do keys beside them, and tell two sessions apart', async () => {
    const ids = ['6281234567890', '6281234567890.0', '120363@g.us::6281234567890::0', '99887766_1.0']
    const set = async (id: string) => {
      const store = openCredentials({ redis, log, fence, cipher }, id)
      await store.saveCreds(initAuthCreds())
      await store.set({
        session: Object.fromEntries(ids.map(name => [name, session(1)])),
        'device-list': { '6281234567890': ['0'] },
        'lid-mapping': { '6281234567890': '99887766' },
      })
      return redis.hkeys(keys.credentials(id))
    }
    const [one, other] = [await set('one'), await set('other')]
    expect([...one, ...other].join(' ')).not.toMatch(/62812|99887|@g\.us/)
    expect(one.filter(name => other.includes(name)).toSorted()).toEqual(['creds', 'names'])
  })

  it('are found again by the next owner, and after the key was rotated', async () => {
    await open().set({ session: { '628.0': session(5) } })
    const rotated = createCipher([randomBytes(32).toString('base64'), secret.toString('base64')])
    const next = openCredentials({ redis, log, fence, cipher: rotated }, sessionId)
    expect(await next.get('session', ['628.0'])).toEqual({ '628.0': session(5) })
  })

  it('stay the same when nobody knows whether the first write was done', async () => {
    const store = open()
    await store.loadCreds()
    const run = redis.evalsha.bind(redis)
    vi.spyOn(redis, 'evalsha').mockImplementationOnce(async (...args) => {
      await Reflect.apply(run, redis, args)
      throw new Error('Connection is closed.')
    })
    await store.set({ session: { '628.0': session(1) } })
    await store.set({ session: { '629.0': session(2) } })
    expect(await open().get('session', ['628.0', '629.0'])).toEqual({ '628.0': session(1), '629.0': session(2) })
  })
})

describe('pre-keys', () => {
  it('are read, replaced and removed one by one, and take a fraction of what fields of their own took', async () => {
    const all = preKeys(range(1, 813))
    await open().set({ 'pre-key': all })
    expect(await redis.memory('USAGE', hash, 'SAMPLES', '0')).toBeLessThan(75_000)
    const store = open()
    await store.set({ 'pre-key': { '5': null, '40': null } })
    expect(Object.keys(await store.get('pre-key', ['4', '5', '6', '40', '812', '813']))).toEqual(['4', '6', '812'])
    const again = preKey()
    await Promise.all([store.set({ 'pre-key': { '5': again } }), store.set({ 'pre-key': { '6': null } })])
    const left: typeof all = { ...all, '5': again }
    for (const id of ['6', '40']) delete left[id]
    expect(await open().get('pre-key', Object.keys(all))).toEqual(left)
  })

  it('survive a write that failed: the next one does not rest on what it would have been', async () => {
    const all = preKeys(range(0, 32))
    const store = open()
    await store.set({ 'pre-key': all })
    await redis.set(keys.lease(0), 'other:8')
    await expect(store.set({ 'pre-key': { '3': null } })).rejects.toThrow('lease')
    await redis.set(keys.lease(0), fence.token)
    await store.set({ 'pre-key': { '4': null } })
    expect(Object.keys(await open().get('pre-key', ['3', '4', '5']))).toEqual(['3', '5'])
  })

  it('of which a stranger names an impossible one are not there', async () => {
    await open().set({ 'pre-key': preKeys([1]) })
    expect(await open().get('pre-key', ['-1', '1e3', 'x', '99999999999', '4294967295', '__proto__'])).toEqual({})
  })
})

/** A value as earlier versions wrote it. */
function plainEnvelope(field: string, value: Buffer, key = secret): Buffer {
  const [type = '', ...rest] = field.split(':')
  const id = createHash('sha256').update('kurir credentials key id').update(key).digest().subarray(0, 4)
  const [head, nonce] = [Buffer.concat([Buffer.of(1), id]), randomBytes(12)]
  const aes = createCipheriv('aes-256-gcm', key, nonce)
  aes.setAAD(Buffer.concat([head, Buffer.from(`${sessionId}|${type}|${rest.join(':')}`)]))
  return Buffer.concat([head, nonce, aes.update(value), aes.final(), aes.getAuthTag()])
}

const json = (value: unknown) => Buffer.from(`\u0002${JSON.stringify(value, BufferJSON.replacer)}`)
const plainJson = (value: unknown) => Buffer.from(`\u0001${JSON.stringify(value)}`)

describe('what an earlier version has stored', () => {
  const creds = initAuthCreds()
  const keysBefore = preKeys(range(1, 813))

  async function store(more: Record<string, Buffer> = {}): Promise<void> {
    const values: Record<string, Buffer> = {
      creds: json(creds),
      'session:628.0': plainJson(session(3)),
      'session:629.12': plainJson(session(4)),
      'sender-key:120363@g.us::628::0': Buffer.from('\u0000[{}]'),
      ...Object.fromEntries(Object.entries(keysBefore).map(([id, pair]) => [`pre-key:${id}`, json(pair)])),
    }
    const envelopes = Object.entries(values).map(([field, value]) => [field, plainEnvelope(field, value)] as const)
    await redis.hset(hash, new Map<string, Buffer>([...envelopes, ...Object.entries(more)]))
  }

  async function expectAll(): Promise<void> {
    const fresh = open()
    expect((await fresh.loadCreds())?.noiseKey).toEqual(creds.noiseKey)
    expect(await fresh.get('session', ['628.0', '629.12'])).toEqual({ '628.0': session(3), '629.12': session(4) })
    expect(await fresh.get('sender-key', ['120363@g.us::628::0'])).toEqual({
      '120363@g.us::628::0': Buffer.from('[{}]'),
    })
    expect(await fresh.get('pre-key', Object.keys(keysBefore))).toEqual(keysBefore)
  }

  it('is renamed at the first opening, all of it', async () => {
    await store()
    await expectAll()
    expect((await redis.hkeys(hash)).filter(name => name.includes(':'))).toEqual([])
    // An earlier version refuses the first byte of what it would find.
    for (const value of await redis.hvalsBuffer(hash)) expect(value[0]).toBe(2)
  })

  it('is whole after a crash before, between and after the writes of it', async () => {
    for (const reads of [1, 2, 3]) {
      await redis.del(hash)
      await store()
      let left = reads
      const run = redis.callBuffer.bind(redis)
      const spy = vi.spyOn(redis, 'callBuffer').mockImplementation(async (...args) => {
        if (left-- <= 0) throw new Error('the worker was killed')
        return Reflect.apply(run, redis, args)
      })
      await expect(open().loadCreds()).rejects.toThrow('killed')
      spy.mockRestore()
      await expectAll()
      expect((await redis.hkeys(hash)).filter(name => name.includes(':'))).toEqual([])
    }
  })

  it('stays where no key decrypts it, and keeps nothing else from being read', async () => {
    await store({ 'session:666.0': plainEnvelope('session:666.0', plainJson(session(1)), randomBytes(32)) })
    await expectAll()
    expect((await redis.hkeys(hash)).filter(name => name.includes(':'))).toEqual(['session:666.0'])
  })

  it('is left alone without the key of its creds', async () => {
    await store()
    const stranger = createCipher([randomBytes(32).toString('base64')])
    const before = await redis.hgetallBuffer(hash)
    const other = openCredentials({ redis, log, fence, cipher: stranger }, sessionId)
    await expect(other.loadCreds()).rejects.toThrow(UnreadableError)
    expect(await redis.hgetallBuffer(hash)).toEqual(before)
  })
})
