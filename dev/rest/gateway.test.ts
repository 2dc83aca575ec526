import { connect } from 'node:net'
import { Redis as Upstash } from '@upstash/redis'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRedis, type RunningRedis } from '../redis/start.ts'
import { startRestGateway, type RestGateway } from './gateway.ts'

/** The gateway against Upstash's own client, and against the protocol that Upstash documents. */

const TOKEN = 'a-token'
let server: RunningRedis
let gateway: RestGateway
let redis: Redis
const counts: number[] = []

beforeAll(async () => {
  server = await startRedis()
  gateway = await startRestGateway({ redisUrl: server.url, token: TOKEN, onRequest: count => counts.push(count) })
  redis = new Redis(server.url)
})

afterAll(async () => {
  redis.disconnect()
  await gateway.close()
  await server.close()
})

async function ask(path: string, init: RequestInit = {}): Promise<{ status: number; body: unknown }> {
  const headers = { authorization: `Bearer ${TOKEN}` }
  const response = await fetch(`${gateway.url}${path}`, { ...init, headers })
  return { status: response.status, body: await response.json() }
}

const postCommand = (...command: unknown[]) => ask('/', { method: 'POST', body: JSON.stringify(command) })

describe("Upstash's own client", () => {
  it.each([false, 'base64'] as const)('reads and writes all types, with encoding %s', async responseEncoding => {
    const client = new Upstash({
      url: gateway.url,
      token: TOKEN,
      responseEncoding,
      enableTelemetry: false,
      retry: false,
    })
    const key = `k-${String(responseEncoding)}`
    expect(await client.set(key, { text: 'héllo 👍', list: [] })).toBe('OK')
    expect(await client.get(key)).toEqual({ text: 'héllo 👍', list: [] })
    expect(await client.get('absent')).toBeNull()
    expect(await client.incrby(`${key}:n`, 41)).toBe(41)
    await client.hset(`${key}:h`, { a: '1', b: 'zwei' })
    expect(await client.hgetall(`${key}:h`)).toEqual({ a: 1, b: 'zwei' })
    await client.zadd(`${key}:z`, { score: 1.5, member: 'm' })
    expect(await client.zrange(`${key}:z`, 0, -1, { withScores: true })).toEqual(['m', 1.5])
    const script = 'return {KEYS[1], ARGV[1], 7, {false, "deep"}}'
    expect(await client.eval(script, ['key'], ['value'])).toEqual(['key', 'value', 7, [null, 'deep']])
    expect(await client.pipeline().set('p', 1).incr('p').get('p').exec()).toEqual(['OK', 2, 2])
    expect(await client.multi().set('m', 1).incr('m').exec()).toEqual(['OK', 2])
    await expect(client.lpush(key, 'x')).rejects.toThrow('WRONGTYPE')
    await expect(client.evalsha('0'.repeat(40), [], [])).rejects.toThrow('NOSCRIPT')
  })
})

describe('a command', () => {
  it('may be in the path, with the body and the query behind it', async () => {
    expect(await ask('/set/path/va%2Flue')).toEqual({ status: 200, body: { result: 'OK' } })
    expect(await ask('/get/path')).toEqual({ status: 200, body: { result: 'va/lue' } })
    expect(await ask('/set/path?EX=100', { method: 'POST', body: 'of the body' })).toMatchObject({ status: 200 })
    expect(await redis.get('path')).toBe('of the body')
    expect(await redis.ttl('path')).toBeGreaterThan(90)
  })

  it('keeps integers of 64 bits, and text that looks like numbers', async () => {
    await redis.set('big', '9223372036854775800')
    const headers = { authorization: `Bearer ${TOKEN}` }
    const body = JSON.stringify(['INCR', 'big'])
    expect(await (await fetch(gateway.url, { method: 'POST', headers, body })).text()).toBe(
      '{"result":9223372036854775801}',
    )
    expect(await postCommand('ECHO', '007')).toEqual({ status: 200, body: { result: '007' } })
  })

  it('that Redis refuses is a 400 with its error', async () => {
    expect(await postCommand('GET')).toEqual({
      status: 400,
      body: { error: expect.stringMatching(/^ERR wrong number of arguments/) },
    })
  })

  it.each([['[]'], ['{}'], ['no JSON'], ['[1]'], ['[""]']])('that is none is a 400: %s', async body => {
    expect(await ask('/', { method: 'POST', body })).toMatchObject({ status: 400, body: { error: expect.any(String) } })
  })

  it.each(['SUBSCRIBE', 'blpop', 'MULTI', 'select', 'SHUTDOWN'])(
    'that would hold the connection up is refused: %s',
    async name => {
      expect(await postCommand(name, 'x', '0')).toMatchObject({ status: 400 })
      expect(await postCommand('PING')).toEqual({ status: 200, body: { result: 'PONG' } })
    },
  )
})

describe('many commands', () => {
  it('of a pipeline stand for themselves', async () => {
    const body = JSON.stringify([
      ['SET', 'a', '1'],
      ['LPUSH', 'a', 'x'],
      ['GET', 'a'],
    ])
    expect(await ask('/pipeline', { method: 'POST', body })).toEqual({
      status: 200,
      body: [{ result: 'OK' }, { error: expect.stringMatching(/^WRONGTYPE/) }, { result: '1' }],
    })
    expect(counts.at(-1)).toBe(3)
  })

  it('of a transaction run together or not at all', async () => {
    const bad = JSON.stringify([['SET', 'b', '1'], ['NONSENSE']])
    expect(await ask('/multi-exec', { method: 'POST', body: bad })).toMatchObject({ status: 400 })
    expect(await redis.exists('b')).toBe(0)
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        ask('/multi-exec', {
          method: 'POST',
          body: JSON.stringify([
            ['RPUSH', 'c', `${i}`],
            ['RPUSH', 'c', `${i}`],
          ]),
        }),
      ),
    )
    const list = await redis.lrange('c', 0, -1)
    for (let i = 0; i < list.length; i += 2) expect(list[i]).toBe(list[i + 1])
  })
})

describe('the door', () => {
  it.each(['/', '/get/x', '/pipeline', '/multi-exec'])('is closed without the token: %s', async path => {
    for (const authorization of ['', 'Bearer', 'Bearer wrong', `Basic ${TOKEN}`]) {
      const response = await fetch(`${gateway.url}${path}`, {
        method: 'POST',
        headers: { authorization },
        body: '["PING"]',
      })
      expect(response.status).toBe(401)
      expect(await response.json()).toMatchObject({ error: expect.any(String) })
    }
  })

  it('opens to a token in the query', async () => {
    const response = await fetch(`${gateway.url}/ping?_token=${TOKEN}`)
    expect(await response.json()).toEqual({ result: 'PONG' })
  })

  it.each(['/', '/pipeline', '/multi-exec'])('takes no GET: %s', async path => {
    expect(await ask(path)).toMatchObject({ status: 405 })
  })
})

describe('faults', () => {
  it('a Redis that is gone is a 503 at once, and one that is back is used again', async () => {
    const mortal = await startRedis()
    const port = Number(new URL(mortal.url).port)
    const own = await startRestGateway({ redisUrl: mortal.url, token: TOKEN })
    const ping = () => fetch(`${own.url}/ping?_token=${TOKEN}`)
    expect((await ping()).status).toBe(200)
    await mortal.close()
    expect((await ping()).status).toBe(503)
    const again = await startRedis({ port })
    await expect.poll(async () => (await ping()).status, { timeout: 10_000 }).toBe(200)
    await own.close()
    await again.close()
  })

  it('a client that hangs up half-way does no harm', async () => {
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
    socket.write(
      `POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Length: 100\r\n\r\n["SET","half`,
    )
    await new Promise(resolve => setImmediate(resolve))
    socket.resetAndDestroy()
    expect(await postCommand('EXISTS', 'half')).toEqual({ status: 200, body: { result: 0 } })
  })
})
