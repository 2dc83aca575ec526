import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startRedis, type RunningRedis } from '../../../dev/redis/start.ts'
import { keys } from '../../../shared/keys.ts'
import { createCipher } from '../../credentials/cipher.ts'
import type { Fence } from '../../ownership/fence.ts'
import { createSecretStore, secretKeys } from './store.ts'

const sessionId = 'user-123'
const signal = new AbortController().signal
const fence: Fence = { partition: 0, epoch: 1, token: 'worker:1', valid: () => true, signal }
const key = randomBytes(32).toString('base64')
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

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

const open = (base64Key = key) =>
  createSecretStore(
    { redis, clock: { now: () => now, monotonic: () => now }, log: pino({ enabled: false }) },
    createCipher([base64Key]),
    {
      ours: { ms: 30 * DAY_MS, bytes: 4000 },
      polls: { ms: 7 * DAY_MS, bytes: 1000 },
      messages: { ms: HOUR_MS, bytes: 1000 },
    },
  )
const message = () => ({ secret: randomBytes(32), authors: ['628999000001@s.whatsapp.net', '1@lid'] })
const poll = (name: string) => ({ secret: randomBytes(32), authors: [], options: [name, 'other'] })

test('is found as it was kept first, by another instance, and stands nowhere in the clear', async () => {
  const first = message()
  await open().keep(fence, sessionId, 'A', first, 'messages')
  await open().keep(fence, sessionId, 'A', message(), 'messages')
  expect(await open().find(fence, sessionId, 'A')).toEqual(first)
  expect(await open().find(fence, sessionId, 'B')).toBeUndefined()
  const stored = Buffer.concat(await redis.hvalsBuffer(keys.secrets(sessionId, 'messages')))
  expect(stored.includes(first.secret)).toBe(false)
  expect(stored.includes('628999000001')).toBe(false)
  expect(await open(randomBytes(32).toString('base64')).find(fence, sessionId, 'A')).toBeUndefined()
})

test('keeps no more bytes than it may, and of ours whatever strangers send', async () => {
  await open().keep(fence, sessionId, 'OURS', poll('yes'), 'ours')
  for (let i = 0; i < 20; i++, now++) await open().keep(fence, sessionId, `T${i}`, message(), 'messages')
  const kept = keys.secrets(sessionId, 'messages')
  const bytes = Buffer.concat(await redis.hvalsBuffer(kept)).length
  expect(bytes).toBeLessThan(1100)
  expect(Number(await redis.hget(kept, ''))).toBeLessThanOrEqual(1000)
  expect(await redis.zcard(keys.secretTimes(sessionId, 'messages'))).toBe((await redis.hlen(kept)) - 1)
  expect(await open().find(fence, sessionId, 'T19')).toBeDefined()
  expect(await open().find(fence, sessionId, 'T0')).toBeUndefined()
  expect(await open().find(fence, sessionId, 'OURS')).toMatchObject({ options: ['yes', 'other'] })
  await open().keep(fence, sessionId, 'HUGE', poll('x'.repeat(20_000)), 'polls')
  expect(await open().find(fence, sessionId, 'HUGE')).toBeUndefined()
})

test('keeps a message for an hour and polls for weeks, and every key expires', async () => {
  await open().keep(fence, sessionId, 'A', message(), 'messages')
  await open().keep(fence, sessionId, 'P', poll('a'), 'polls')
  await open().keep(fence, sessionId, 'O', poll('b'), 'ours')
  now += HOUR_MS + 1
  await open().keep(fence, sessionId, 'B', message(), 'messages')
  expect(await open().find(fence, sessionId, 'A')).toBeUndefined()
  expect(await open().find(fence, sessionId, 'P')).toBeDefined()
  for (const name of secretKeys(sessionId)) expect(await redis.pttl(name)).toBeGreaterThan(0)
})
