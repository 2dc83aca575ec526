import { randomBytes } from 'node:crypto'
import { initAuthCreds, type SignalDataSet } from '@whiskeysockets/baileys'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { keys } from '../../shared/keys.ts'
import { FencedError } from '../redis/fenced.ts'
import type { Fence } from '../ownership/fence.ts'
import { createCipher, UnreadableError } from './cipher.ts'
import { openCredentials } from './store.ts'

const sessionId = 'user-123'
const log = pino({ level: 'silent' })
const hash = keys.credentials(sessionId)
const cipher = createCipher([randomBytes(32).toString('base64')])
const fence: Fence = {
  partition: 0,
  epoch: 7,
  token: 'worker:7',
  valid: () => true,
  signal: new AbortController().signal,
}

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

const open = (given = fence) => openCredentials({ redis, log, fence: given, cipher }, sessionId)
const session = (counter: number) => ({ _sessions: { a: { counter } }, version: 'v1' }) as unknown as Uint8Array
const preKey = () => ({ public: randomBytes(32), private: randomBytes(32) })

describe('credentials in Redis', () => {
  it('gives every type back to a new instance as Baileys gave it', async () => {
    const mutations = {
      'pre-key': { '1': preKey() },
      session: { '628.0': session(3) },
      'sender-key': { 'g::628::0': Buffer.from('[{}]') },
      'sender-key-memory': { 'g@g.us': { '628:1@s.whatsapp.net': true } },
      'app-state-sync-version': {
        regular: { version: 2, hash: randomBytes(128), indexValueMap: { 'aa==': { valueMac: randomBytes(32) } } },
      },
      'lid-mapping': { '628': '99' },
      'device-list': { '628': ['0', '12'] },
      tctoken: { '628': { token: randomBytes(8), timestamp: '5' } },
      'identity-key': { '628.0': randomBytes(33) },
    } satisfies SignalDataSet
    await open().set(mutations)
    const fresh = open()
    for (const [type, values] of Object.entries(mutations)) {
      expect(await fresh.get(type as keyof typeof mutations, Object.keys(values))).toEqual(values)
    }
    await fresh.set({ 'app-state-sync-key': { k: { keyData: randomBytes(32), timestamp: 5 } } })
    const { k } = await open().get('app-state-sync-key', ['k'])
    expect(k?.keyData).toHaveLength(32)
  })

  it('keeps the creds, and knows when there are none', async () => {
    expect(await open().loadCreds()).toBeUndefined()
    const creds = { ...initAuthCreds(), me: { id: '628:1@s.whatsapp.net' }, account: { details: Buffer.from('d') } }
    await open().saveCreds(creds)
    const loaded = await open().loadCreds()
    expect(loaded?.noiseKey).toEqual(creds.noiseKey)
    expect(Buffer.from(loaded?.account?.details ?? [])).toEqual(Buffer.from('d'))
  })

  it('leaves nothing readable in Redis', async () => {
    const creds = initAuthCreds()
    const store = open()
    await store.saveCreds(creds)
    await store.set({ session: { '628.0': session(3) } })
    const stored = await redis.hvalsBuffer(hash)
    expect(stored).toHaveLength(3)
    for (const value of stored) expect(value.toString('latin1')).not.toMatch(/_sessions|noiseKey|Buffer/)
  })

  it('writes nothing once the lease is lost, and does not believe that it had', async () => {
    const store = open()
    await store.set({ session: { '628.0': session(1) } })
    const before = await redis.hgetallBuffer(hash)
    await redis.set(keys.lease(0), 'other:8')
    await expect(store.set({ session: { '628.0': session(2) } })).rejects.toThrow(FencedError)
    await expect(store.clear()).rejects.toThrow(FencedError)
    // Nor does it read: what it finds may be another owner's, or a replica's.
    await expect(store.get('session', ['628.0'])).rejects.toThrow(FencedError)
    await redis.set(keys.lease(0), fence.token)
    expect(await open().get('session', ['628.0'])).toEqual({ '628.0': session(1) })
    expect(await redis.hgetallBuffer(hash)).toEqual(before)
  })

  it('sends what is set at once in one call, a thousand prekeys too', async () => {
    const store = open()
    await store.loadCreds()
    const calls = vi.spyOn(redis, 'evalsha')
    const many = Object.fromEntries(Array.from({ length: 2100 }, (_, i) => [String(i), preKey()]))
    await Promise.all([
      store.set({ 'pre-key': many }),
      store.set({ session: { '628.0': session(1) } }),
      store.set({ session: { '628.0': session(2), '629.0': session(1) } }),
    ])
    expect(calls).toHaveBeenCalledTimes(1)
    expect(await open().get('session', ['628.0'])).toEqual({ '628.0': session(2) })
    expect(await open().get('pre-key', Object.keys(many))).toEqual(many)
    const held = await redis.hlen(hash)
    await store.set({ 'pre-key': Object.fromEntries(Object.keys(many).map(id => [id, null])) })
    expect(await open().get('pre-key', Object.keys(many))).toEqual({})
    expect(await redis.hlen(hash)).toBe(held - Math.ceil(2100 / 32))
    calls.mockRestore()
  })

  it('skips what is stored already, and asks Redis once for what it does not know', async () => {
    await open().set({ session: { '627.0': session(1) } })
    const store = open()
    await store.set({ session: { '628.0': session(1) } })
    const writes = vi.spyOn(redis, 'evalsha')
    const reads = vi.spyOn(redis, 'callBuffer')
    await store.set({ session: { '628.0': session(1) } })
    expect(writes).not.toHaveBeenCalled()
    const kept = { '627.0': session(1), '628.0': session(1) }
    expect(await store.get('session', ['627.0', '628.0', 'absent'])).toEqual(kept)
    expect(await store.get('session', ['627.0', '628.0', 'absent'])).toEqual(kept)
    expect(reads).toHaveBeenCalledTimes(1)
    await store.set({ session: { absent: null } })
    expect(writes).not.toHaveBeenCalled()
    for (const spy of [writes, reads]) spy.mockRestore()
  })

  it('does not ask Redis for what it knows to be absent, and finds what it has written or never read', async () => {
    await open().set({
      session: { kept: session(1) },
      'pre-key': { 7: preKey() },
    })
    const store = open()
    await store.loadCreds()
    const reads = vi.spyOn(redis, 'callBuffer')
    expect(await store.get('session', ['absent'])).toEqual({})
    expect(reads).not.toHaveBeenCalled()
    reads.mockRestore()
    await store.set({ session: { absent: session(2) } })
    expect(await store.get('session', ['absent', 'kept'])).toEqual({ absent: session(2), kept: session(1) })
    expect(Object.keys(await store.get('pre-key', ['7']))).toEqual(['7'])
    expect(await open().get('session', ['absent'])).toEqual({ absent: session(2) })
  })

  it('hands out copies: what a caller does to a value does not change what is known', async () => {
    const store = open()
    await store.set({ 'sender-key-memory': { g: { a: true } } })
    const { g } = await store.get('sender-key-memory', ['g'])
    Object.assign(g ?? {}, { b: true })
    expect(await store.get('sender-key-memory', ['g'])).toEqual({ g: { a: true } })
    await store.set({ 'sender-key-memory': { g: g ?? {} } })
    expect(await open().get('sender-key-memory', ['g'])).toEqual({ g: { a: true, b: true } })
  })

  it('stays within its memory and still answers', async () => {
    const store = openCredentials({ redis, log, fence, cipher, cacheBytes: 2000 }, sessionId)
    const ids = Array.from({ length: 100 }, (_, i) => `${i}.0`)
    await store.set({ session: Object.fromEntries(ids.map((id, i) => [id, session(i)])) })
    const all = await store.get('session', ids)
    expect(Object.keys(all)).toHaveLength(100)
    expect(all['42.0']).toEqual(session(42))
  })

  it('refuses values under a key that it was not given, and leaves them where they are', async () => {
    await open().set({ session: { '628.0': session(1) } })
    await open().saveCreds(initAuthCreds())
    const stranger = openCredentials(
      { redis, log, fence, cipher: createCipher([randomBytes(32).toString('base64')]) },
      sessionId,
    )
    await expect(stranger.loadCreds()).rejects.toThrow(UnreadableError)
    await expect(stranger.get('session', ['628.0'])).rejects.toThrow(UnreadableError)
    expect(await open().get('session', ['628.0'])).toEqual({ '628.0': session(1) })
  })

  it('waits out a Redis that refuses writes for a while, and keeps their order', async () => {
    const store = open()
    await store.set({ session: { '628.0': session(1) } })
    await redis.config('SET', 'maxmemory', '1')
    const second = store.set({ session: { '628.0': session(2) } })
    const third = store.set({ session: { '629.0': session(3) } })
    await expect(redis.set('full', 'x')).rejects.toThrow('OOM')
    await redis.config('SET', 'maxmemory', '0')
    await Promise.all([second, third])
    expect(await open().get('session', ['628.0', '629.0'])).toEqual({ '628.0': session(2), '629.0': session(3) })
  })

  it('reads what was set before Redis has it, and stores of several changes the last', async () => {
    const store = open()
    await store.loadCreds()
    await store.set({ session: { a: session(1), c: session(1) } })
    const control = redis.duplicate()
    await control.client('PAUSE', 10_000, 'WRITE')
    const calls = vi.spyOn(redis, 'evalsha')
    const first = store.set({ session: { a: session(2) }, 'pre-key': { '1': preKey() } })
    await vi.waitUntil(() => calls.mock.calls.length === 1, { timeout: 10_000 })
    const removal = store.set({ session: { a: session(3), c: null }, 'identity-key': { a: Buffer.from('k') } })
    const last = store.set({ session: { a: session(4), b: session(1) } })
    expect(await store.get('session', ['a', 'b', 'c'])).toEqual({ a: session(4), b: session(1) })
    expect(Object.keys(await store.get('pre-key', ['1']))).toEqual(['1'])
    expect(await store.get('identity-key', ['a'])).toEqual({ a: Buffer.from('k') })
    await control.client('UNPAUSE')
    await Promise.all([first, removal, last])
    expect(calls).toHaveBeenCalledTimes(2)
    calls.mockRestore()
    control.disconnect()
    expect(await open().get('session', ['a', 'b', 'c'])).toEqual({ a: session(4), b: session(1) })
    expect(await store.get('session', ['a', 'b', 'c'])).toEqual({ a: session(4), b: session(1) })
  })

  it('does not find what is being removed, though it was asked for before', async () => {
    await open().set({ session: { a: session(1), b: session(1) } })
    const store = open()
    const reading = store.get('session', ['a'])
    const removal = store.set({ session: { a: null } })
    expect(await reading).toEqual({})
    await removal
    const late = store.get('session', ['a', 'b'])
    const change = store.set({ session: { b: session(2) } })
    expect(await late).toEqual({ b: session(2) })
    await change
  })

  it('closes when everything before is written, and takes nothing after', async () => {
    const store = open()
    await store.set({ session: { a: session(1) } })
    const control = redis.duplicate()
    await control.client('PAUSE', 10_000, 'WRITE')
    const change = store.set({ session: { a: session(2) } })
    let closed = false
    const closing = store.close().then(() => (closed = true))
    await expect(store.set({ session: { a: session(3) } })).rejects.toThrow('closed')
    await control.ping()
    expect(closed).toBe(false)
    await control.client('UNPAUSE')
    await Promise.all([change, closing])
    expect(await open().get('session', ['a'])).toEqual({ a: session(2) })
    control.disconnect()
  })

  it('is gone after clear, and lets no straggler bring it back', async () => {
    const store = open()
    const last = store.set({ session: { '628.0': session(1) } })
    await store.clear()
    await last
    await expect(store.set({ session: { '628.0': session(2) } })).rejects.toThrow(/closed/)
    expect(await redis.exists(hash)).toBe(0)
  })
})
