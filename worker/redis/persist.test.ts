import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startRedis } from '../../dev/redis/start.ts'
import { FencedError } from './fenced.ts'
import { persist } from './persist.ts'
import { log, testRedis, type TestFence } from '../outbox/testing.ts'

let server: ReturnType<typeof testRedis>
let fence: TestFence

beforeAll(async () => {
  server = testRedis(await startRedis())
})
afterAll(async () => server.close())
beforeEach(async () => {
  fence = await server.claim()
})

/** A write that Redis itself refuses with this text `times` times, then takes. */
function refusing(text: string, times: number) {
  const write = async () => {
    write.calls++
    return server.redis.eval(write.calls <= times ? `return redis.error_reply('${text}')` : `return 'ok'`, 0)
  }
  write.calls = 0
  return write
}

test.each([
  'LOADING Redis is loading the dataset in memory',
  'OOM command not allowed when used memory > maxmemory',
  'MISCONF Redis is configured to save RDB snapshots',
])('repeats after %s', async text => {
  const write = refusing(text, 2)
  expect(await persist(write, fence, log)).toBe('ok')
  expect(write.calls).toBe(3)
})

test('repeats after a broken connection', async () => {
  await server.cut()
  const done = persist(async () => server.redis.eval(`return 'ok'`, 0), fence, log)
  await server.redis.connect()
  expect(await done).toBe('ok')
})

test('does not repeat a mistake', async () => {
  const write = refusing('WRONGTYPE Operation against a key', 1)
  await expect(persist(write, fence, log)).rejects.toThrow('WRONGTYPE')
  expect(write.calls).toBe(1)
})

test('does not repeat after the lease is lost, nor start then', async () => {
  const fenced = async () => Promise.reject(new FencedError(0))
  await expect(persist(fenced, fence, log)).rejects.toBeInstanceOf(FencedError)
  const write = refusing('LOADING still', 1000)
  const done = persist(write, fence, log)
  fence.abort()
  await expect(done).rejects.toBeInstanceOf(FencedError)
  const calls = write.calls
  await expect(persist(write, fence, log)).rejects.toBeInstanceOf(FencedError)
  expect(write.calls).toBe(calls)
})
