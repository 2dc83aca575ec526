import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startRedisProxy, type RedisProxy } from '../../dev/redis/proxy.ts'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { until } from '../../dev/stack/until.ts'
import { createDoorbell } from '../jobs/bullmq/doorbell.ts'
import { layoutOf } from '../jobs/bullmq/layout.ts'
import { createConnections } from './connections.ts'

const log = pino({ level: 'silent' })
let server: RunningRedis
let proxy: RedisProxy

beforeAll(async () => {
  server = await startRedis()
  proxy = await startRedisProxy(server.url)
})
afterAll(async () => {
  await proxy.close()
  await server.close()
})

/** A connection through the proxy that has just fallen silent. */
async function silent(name: string, patience: 'wait' | 'fail' | 'block', before?: (url: string) => Promise<unknown>) {
  const redis = createConnections(proxy.url, log).open(name, patience)
  await redis.ping()
  await before?.(proxy.url)
  expect(proxy.silence(`kurir-${name}`)).toBe(1)
  return redis
}

test.concurrent('a command that waits is sent on another connection', async () => {
  const redis = await silent('waits', 'wait')
  expect(await redis.set('written', '1')).toBe('OK')
  redis.disconnect()
})

test.concurrent('a command that may fail does, and the next one is answered', async () => {
  const redis = await silent('fails', 'fail')
  await expect(redis.set('written', '2')).rejects.toThrow(/max retries|closed/i)
  expect(await redis.ping()).toBe('PONG')
  redis.disconnect()
})

test.concurrent('a subscriber that is asked finds out, and hears again', async () => {
  const redis = createConnections(proxy.url, log).open('hears', 'wait')
  const heard: string[] = []
  redis.on('message', (_channel, message) => void heard.push(message))
  await redis.subscribe('news')
  proxy.silence('kurir-hears')
  await redis.ping()
  const other = createConnections(server.url, log).open('tells', 'fail')
  await until('the news', async () => {
    await other.publish('news', 'x')
    return heard.length > 0
  })
  expect(heard).toContain('x')
  for (const each of [redis, other]) each.disconnect()
})

test.concurrent('all of a process are made anew when one is found silent, also those that nobody uses', async () => {
  const connections = createConnections(proxy.url, log)
  const opened = [
    connections.open('all-core', 'wait'),
    connections.open('all-taking', 'fail'),
    connections.open('all-bell', 'block'),
  ]
  for (const redis of opened) await redis.ping()
  const ended: string[] = []
  for (const [i, redis] of opened.entries()) redis.once('close', () => ended.push(String(i)))
  expect(proxy.silence('kurir-all')).toBe(3)
  await opened[0]?.ping()
  await until('the others to end', () => ended.length === 3)
  await until('them to be back', () => connections.broken().length === 0)
  expect(await connections.unanswered(1000)).toEqual([])
  for (const redis of opened) redis.disconnect()
})

test.concurrent('the bell of a queue rings again within seconds', { timeout: 30_000 }, async () => {
  const redis = createConnections(proxy.url, log).open('bell', 'block')
  const layout = layoutOf('silent-queue')
  const bell = createDoorbell(redis, layout)
  const started = performance.now()
  const waiting = bell.wait(60_000)
  await until('it to wait', () => proxy.silence('kurir-bell') === 1)
  await waiting
  expect(performance.now() - started).toBeLessThan(15_000)
  const other = createConnections(server.url, log).open('rings', 'fail')
  await other.zadd(layout.marker, 0, '0')
  await until('it to ring', async () => {
    await bell.wait(1000)
    return (await other.zcard(layout.marker)) === 0
  })
  bell.close()
  other.disconnect()
})
