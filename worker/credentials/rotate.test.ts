import { randomBytes } from 'node:crypto'
import { initAuthCreds } from '@whiskeysockets/baileys'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { keys } from '../../shared/keys.ts'
import type { Fence } from '../ownership/fence.ts'
import { createCipher } from './cipher.ts'
import { rotateCredentials } from './rotate.ts'
import { openCredentials } from './store.ts'

const sessionId = 'user-123'
const log = pino({ level: 'silent' })
const fence: Fence = { partition: 0, epoch: 1, token: 'w:1', valid: () => true, signal: new AbortController().signal }
const [old, next] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')]

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

const open = (...given: string[]) => openCredentials({ redis, log, fence, cipher: createCipher(given) }, sessionId)
const rotate = async (...given: string[]) => rotateCredentials({ redis, fence, cipher: createCipher(given) }, sessionId)
const device = (id: string) => ({ 'device-list': { [id]: ['0'] } })

describe('the rotation of a key', () => {
  it('leaves nothing that needs the old key', async () => {
    const creds = initAuthCreds()
    const store = open(old)
    await store.saveCreds(creds)
    const lists = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`62:8${i}`, ['0']]))
    await store.set({ 'device-list': lists })
    expect(await rotate(next, old)).toBe(1002)
    expect(await rotate(next, old)).toBe(0)
    const rotated = open(next)
    expect((await rotated.loadCreds())?.noiseKey).toEqual(creds.noiseKey)
    expect(await rotated.get('device-list', Object.keys(lists))).toEqual(lists)
  })

  it('puts no value back that was written meanwhile', async () => {
    await open(old).set(device('628'))
    const scan = redis.hscanBuffer.bind(redis)
    const spy = vi.spyOn(redis, 'hscanBuffer').mockImplementationOnce(async (...args: unknown[]) => {
      const page = await Reflect.apply(scan, redis, args)
      await open(next, old).set({ 'device-list': { '628': ['0', '7'] } })
      return page
    })
    // The secret of the names alone.
    expect(await rotate(next, old)).toBe(1)
    spy.mockRestore()
    expect(await open(next).get('device-list', ['628'])).toEqual({ '628': ['0', '7'] })
  })

  it('asks nothing of Redis while there is one key', async () => {
    const spy = vi.spyOn(redis, 'hscanBuffer')
    expect(await rotate(next)).toBe(0)
    expect(spy).not.toHaveBeenCalled()
    spy.mockRestore()
  })
})
