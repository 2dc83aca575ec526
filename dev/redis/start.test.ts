import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, it } from 'vitest'
import { findRedisServer } from './find.ts'
import { startRedis, type RunningRedis } from './start.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function start(options: Parameters<typeof startRedis>[0]): Promise<RunningRedis> {
  const running = await startRedis(options)
  closers.push(() => running.close())
  return running
}

function client(url: string): Redis {
  const redis = new Redis(url, { maxRetriesPerRequest: null })
  closers.push(async () => redis.disconnect())
  return redis
}

const SCRIPT = `
local job = cmsgpack.unpack(cmsgpack.pack(cjson.decode(ARGV[1])))
redis.call('HSET', KEYS[1], 'text', job.text)
redis.call('XADD', KEYS[2], ARGV[2] .. '-0', 'body', ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[2], job.text)
return {job.text, redis.call('XLEN', KEYS[2])}`

const hasServer = findRedisServer() !== undefined

describe.each([
  { kind: 'redis-server', path: process.env['PATH'] ?? '' },
  { kind: 'embedded', path: '' },
])('the $kind Redis', ({ kind, path }) => {
  it.skipIf(kind === 'redis-server' && !hasServer)('runs BullMQ and what our own scripts need', async () => {
    const running = await start({ path })
    expect(running.kind).toBe(kind)
    const connection = client(running.url)
    const queue = new Queue('proof', { connection })
    closers.push(() => queue.close())
    const done = Promise.withResolvers<unknown>()
    const worker = new Worker('proof', async job => done.resolve(job.data), {
      connection: client(running.url),
      drainDelay: 1,
    })
    closers.push(() => worker.close())
    await queue.add('a', { text: 'héllo 👍' })
    expect(await done.promise).toEqual({ text: 'héllo 👍' })

    const body = JSON.stringify({ text: 'héllo 👍' })
    expect(await connection.eval(SCRIPT, 3, 'hash', 'stream', 'set', body, '7')).toEqual(['héllo 👍', 1])
    expect(await connection.xrange('stream', '(6-0', '+', 'COUNT', 5)).toEqual([['7-0', ['body', body]]])
    expect(await connection.xrevrange('stream', '+', '-', 'COUNT', 1)).toHaveLength(1)
    expect(await connection.call('XTRIM', 'stream', 'MINID', '8')).toBe(1)
    expect(await connection.hgetBuffer('hash', 'text')).toEqual(Buffer.from('héllo 👍'))
    const [, found] = await connection.scan('0', 'MATCH', 'str*', 'COUNT', 1000)
    expect(found).toEqual(['stream'])
  })
})

describe.skipIf(!hasServer)('a Redis that keeps its data', () => {
  it('has it again after a restart', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'kurir-redis-'))
    closers.push(() => rm(dir, { recursive: true }))
    const first = await startRedis({ dir, appendonly: true })
    await client(first.url).set('kept', 'yes')
    await first.close()
    const second = await start({ dir, appendonly: true })
    expect(await client(second.url).get('kept')).toBe('yes')
  })
})

describe('a given Redis', () => {
  it('is used as it is, and left alone', async () => {
    const running = await start({})
    const given = await startRedis({ url: running.url })
    expect(given).toMatchObject({ url: running.url, kind: 'given' })
    await given.close()
    expect(await client(running.url).ping()).toBe('PONG')
  })
})
