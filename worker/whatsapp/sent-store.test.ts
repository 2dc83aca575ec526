import { randomBytes } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { keys } from '../../shared/keys.ts'
import { createCipher } from '../credentials/cipher.ts'
import { FencedError } from '../redis/fenced.ts'
import type { Fence } from '../ownership/fence.ts'
import { createSentStore, type SentLimits } from './sent-store.ts'

const sessionId = 'user-123'
const signal = new AbortController().signal
const fence: Fence = { partition: 0, epoch: 1, token: 'worker:1', valid: () => true, signal }
const key = randomBytes(32).toString('base64')

let server: RunningRedis
let redis: Redis
let now = 1_000_000

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

const open = (limits?: SentLimits, base64Key = key) =>
  createSentStore(
    { redis, clock: { now: () => now, monotonic: () => now }, log: pino({ enabled: false }) },
    createCipher([base64Key]),
    limits,
  )
const text = (conversation: string): proto.IMessage => ({ conversation })

test('a new instance finds a poll with its secret again', async () => {
  const messageSecret = randomBytes(32)
  const poll: proto.IMessage = {
    messageContextInfo: { messageSecret },
    pollCreationMessage: { name: 'When?', options: [{ optionName: 'now' }], selectableOptionsCount: 0 },
  }
  await open().keep(fence, sessionId, 'A', poll)
  const found = (await open().get(fence, sessionId, 'A'))?.message
  expect(Buffer.from(found?.messageContextInfo?.messageSecret ?? [])).toEqual(messageSecret)
  expect(found?.pollCreationMessage?.options?.[0]?.optionName).toBe('now')
  expect(await open().get(fence, sessionId, 'B')).toBeUndefined()
})

test('a repeat gets what was kept first', async () => {
  const store = open()
  expect(await store.keep(fence, sessionId, 'A', text('first'))).toMatchObject(text('first'))
  expect(await store.keep(fence, sessionId, 'A', text('second'))).toMatchObject(text('first'))
  expect(await store.get(fence, sessionId, 'A')).toMatchObject({ message: text('first') })
})

test('is encrypted, and bound to its session and id', async () => {
  const store = open()
  await store.keep(fence, sessionId, 'A', text('very private words'))
  const envelope = await redis.hgetBuffer(keys.sent(sessionId), 'A')
  expect(envelope?.includes('private')).toBe(false)
  await redis.hset(keys.sent(sessionId), 'B', envelope ?? '')
  await redis.hset(keys.sent('other'), 'A', envelope ?? '')
  expect(await store.get(fence, sessionId, 'B')).toBeUndefined()
  expect(await store.get(fence, 'other', 'A')).toBeUndefined()
  expect(await open(undefined, randomBytes(32).toString('base64')).get(fence, sessionId, 'A')).toBeUndefined()
})

test('writes nothing without the lease', async () => {
  await redis.set(keys.lease(0), 'other:2')
  await expect(open().keep(fence, sessionId, 'A', text('x'))).rejects.toBeInstanceOf(FencedError)
  expect(await redis.exists(keys.sent(sessionId), keys.sentTimes(sessionId))).toBe(0)
})

test('is bounded by count and by age, oldest first, and ends by itself', async () => {
  const store = open({ count: 3, ageMs: 1000 })
  for (const id of ['A', 'B', 'C', 'D', 'E']) {
    now += 1
    await store.keep(fence, sessionId, id, text(id))
  }
  expect((await redis.hkeys(keys.sent(sessionId))).sort()).toEqual(['C', 'D', 'E'])
  now += 999
  await store.keep(fence, sessionId, 'F', text('F'))
  expect((await redis.hkeys(keys.sent(sessionId))).sort()).toEqual(['E', 'F'])
  expect(await redis.zrange(keys.sentTimes(sessionId), '0', '-1')).toEqual(['E', 'F'])
  expect(await redis.pttl(keys.sent(sessionId))).toBeGreaterThan(0)
  expect(await redis.pttl(keys.sentTimes(sessionId))).toBeGreaterThan(0)
})

test('a full Redis is waited for', async () => {
  await redis.config('SET', 'maxmemory', 1)
  const keeping = open().keep(fence, sessionId, 'A', text('patient'))
  await vi.waitUntil(async () => /errorstat_OOM/.test(await redis.info('errorstats')), { timeout: 10_000 })
  await redis.config('SET', 'maxmemory', 0)
  expect(await keeping).toMatchObject(text('patient'))
})
