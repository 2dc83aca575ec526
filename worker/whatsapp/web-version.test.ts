import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DEFAULT_CONNECTION_CONFIG } from '@whiskeysockets/baileys'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { keys } from '../../shared/keys.ts'
import { createGuardedAgent } from '../net/guard.ts'
import { createWebVersion, type WebVersionDeps } from './web-version.ts'

const BUILT_IN = DEFAULT_CONNECTION_CONFIG.version
const HOUR_MS = 3_600_000

let server: RunningRedis
let redis: Redis
let url: URL
let answer: RequestListener
let asked = 0
const http = createServer((request, response) => {
  asked++
  answer(request, response)
})

beforeAll(async () => {
  server = await startRedis()
  redis = new Redis(server.url)
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  url = new URL(`http://127.0.0.1:${(http.address() as AddressInfo).port}/sw.js`)
})
afterAll(async () => {
  redis.disconnect()
  http.close()
  await server.close()
})
beforeEach(async () => {
  await redis.flushall()
  asked = 0
  names(BUILT_IN[2] + 5)
})

/** Has the script name this revision, in the escaped JSON in which WhatsApp has it. */
function names(revision: number | string): void {
  answer = (_, response) => response.end(`importScripts("x");self.x="{\\"client_revision\\":${revision},\\"y\\":1}"`)
}

function worker(changes: Partial<WebVersionDeps> = {}) {
  const time = { ms: 0 }
  const registry = new Registry()
  const version = createWebVersion({
    redis,
    log: pino({ level: 'silent' }),
    clock: { now: () => 1_800_000_000_000 + time.ms, monotonic: () => time.ms },
    registry,
    given: undefined,
    url,
    agent: createGuardedAgent({ allowHosts: new Set([url.host]) }),
    ...changes,
  })
  return { version, time, registry }
}

const revision = ({ version }: ReturnType<typeof worker>) => version.current()[2]

describe('the version of WhatsApp Web', () => {
  it('is looked up at the start, kept for all workers, and looked up again after six hours', async () => {
    const first = worker()
    expect(revision(first)).toBe(BUILT_IN[2])
    await first.version.start()
    expect(revision(first)).toBe(BUILT_IN[2] + 5)
    const second = worker()
    await second.version.start()
    expect([revision(second), asked]).toEqual([BUILT_IN[2] + 5, 1])

    names(BUILT_IN[2] + 9)
    first.time.ms += 5 * HOUR_MS
    await first.version.refresh()
    expect(revision(first)).toBe(BUILT_IN[2] + 5)
    first.time.ms += HOUR_MS
    await first.version.refresh()
    expect(revision(first)).toBe(BUILT_IN[2] + 9)
    expect(await first.registry.metrics()).toContain(`version="2.3000.${BUILT_IN[2] + 9}",source="fetched"`)
  })

  it('is looked up when it was refused, but no sooner than a minute after the last time, and once for all sessions', async () => {
    const one = worker()
    await one.version.start()
    names(BUILT_IN[2] + 9)
    await one.version.refresh('refused')
    expect([revision(one), asked]).toEqual([BUILT_IN[2] + 5, 1])
    one.time.ms += 60_000
    await Promise.all([one.version.refresh('refused'), one.version.refresh('refused')])
    expect([revision(one), asked]).toEqual([BUILT_IN[2] + 9, 2])
  })

  it('is what another worker has found since it was refused', async () => {
    const one = worker()
    await one.version.start()
    await redis.set(keys.webVersion, JSON.stringify({ version: [2, 3000, BUILT_IN[2] + 7], at: 1_800_000_000_001 }))
    one.time.ms += 60_000
    await one.version.refresh('refused')
    expect([revision(one), asked]).toEqual([BUILT_IN[2] + 7, 1])
  })

  it('is the given one, and then nothing is asked', async () => {
    const one = worker({ given: [2, 3000, 7] })
    await one.version.start()
    expect([one.version.current(), asked]).toEqual([[2, 3000, 7], 0])
  })

  it.each<[string, () => void]>([
    ['is older than the built-in one', () => names(BUILT_IN[2] - 1)],
    ['is no number', () => names('"x"')],
    ['comes with an error', () => (answer = (_, response) => response.writeHead(503).end())],
    ['stands in too large a script', () => (answer = (_, response) => response.end('x'.repeat(1024 * 1024 + 1)))],
    ['never comes, for the server hangs up', () => (answer = request => request.socket.destroy())],
  ])('stays what it is when what is answered %s', async (_, prepare) => {
    prepare()
    const one = worker()
    await one.version.start()
    expect([revision(one), asked]).toEqual([BUILT_IN[2], 1])
  })

  it.each(['', '{}', '{"version":[2,3000,"9999999999"],"at":1}', '{"version":[1],"at":1}'])(
    'does not rest on %j in Redis',
    async text => {
      await redis.set(keys.webVersion, text)
      const one = worker({ url: undefined })
      await one.version.start()
      expect(revision(one)).toBe(BUILT_IN[2])
    },
  )

  it('is not looked up in private networks unless the operator says where', async () => {
    const one = worker({ agent: createGuardedAgent({ allowHosts: new Set() }) })
    await one.version.start()
    expect([revision(one), asked]).toEqual([BUILT_IN[2], 0])
  })
})
