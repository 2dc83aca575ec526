import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startRedis } from '../../dev/redis/start.ts'
import { FencedError } from './fenced.ts'
import { persist } from './persist.ts'
import { log, testRedis, type TestFence } from '../../dev/testing/outbox.ts'

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
  'ERR max requests limit exceeded. Limit: 500000, Usage: 500000. See https://upstash.com/docs',
  'ERR max daily request limit exceeded',
  'ERR DB capacity quota exceeded. Threshold: 268435456 bytes, Usage: 268435999 bytes',
  'ERR max concurrent connections exceeded',
  'ERR max number of clients reached',
  '@user_script: 12: -OOM command not allowed when used memory > maxmemory',
  'ERR Error running script (call to f_0a1b): @user_script:12: @user_script: 12: -OOM command not allowed',
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

test.each([
  'WRONGTYPE Operation against a key',
  'ERR max request size exceeded. Limit: 10485760 bytes, Actual: 11245919 bytes',
  'ERR no such thing, DB capacity quota exceeded',
])('does not repeat a mistake: %s', async text => {
  const write = refusing(text, 1)
  await expect(persist(write, fence, log)).rejects.toThrow(text)
  expect(write.calls).toBe(1)
})

test('says once a minute what is wrong, and what can be done', async () => {
  const lines: Record<string, unknown>[] = []
  const told = pino({}, { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) })
  await persist(refusing('OOM command not allowed', 5), fence, told)
  await persist(refusing('LOADING still', 2), fence, told)
  expect(lines.map(line => line['advice'])).toEqual([expect.stringMatching(/^redis is full/), undefined])
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
