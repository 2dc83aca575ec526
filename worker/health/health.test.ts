import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Redis } from 'ioredis'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { until } from '../../dev/stack/until.ts'
import { log, testClock } from '../../dev/testing/outbox.ts'
import { createMetrics, type Metrics, type PartitionSource } from './metrics.ts'
import { createConnections, type Connections } from '../redis/connections.ts'
import { createReadiness } from './readiness.ts'
import { showTroubles } from './trouble.ts'
import { startHealthServer, type HealthServer } from './server.ts'

const clock = testClock()
let server: RunningRedis
let connections: Connections
let beating: boolean
let failing: string[]
let registry: Registry
let metrics: Metrics
let health: HealthServer
let partitions: number[]
let opened: Redis[]
let endpoint: string

beforeAll(async () => {
  server = await startRedis()
})
afterAll(async () => server.close())
beforeEach(async () => {
  registry = new Registry()
  partitions = []
  endpoint = 'up'
  metrics = createMetrics({ registry, clock, endpoint: () => endpoint })
  beating = true
  failing = []
  connections = createConnections(server.url, log)
  opened = [connections.open('core', 'wait'), connections.open('taking-0', 'fail'), connections.open('bell', 'block')]
  await until('connections', () => connections.broken().length === 0)
  const readiness = createReadiness({
    connections,
    beating: () => beating,
    failing: () => failing,
    partitions: () => partitions,
    endpoint: () => endpoint,
    timeoutMs: 1000,
  })
  health = await startHealthServer({ port: 0, host: '127.0.0.1', log, registry, readiness })
})
afterEach(async () => {
  await health.close()
  for (const redis of opened) redis.disconnect()
})

async function get(path: string, method = 'GET'): Promise<{ status: number; body: string; type: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<import('node:http').IncomingMessage>()
  request({ port: health.port, host: '127.0.0.1', path, method }, resolve).on('error', reject).end()
  const response = await promise
  return { status: response.statusCode ?? 0, body: await text(response), type: response.headers['content-type'] ?? '' }
}

const source = (more: Partial<PartitionSource> = {}): PartitionSource => ({
  partition: 0,
  epoch: 7,
  sessions: () => ({ open: 3, backoff: 1 }),
  lanes: () => ({ count: 5, oldestAt: clock.now() - 10_000 }),
  outbox: async () => ({ count: 0 }),
  ...more,
})

describe('/healthz', () => {
  test('answers while the event loop turns', async () => {
    expect(await get('/healthz')).toMatchObject({ status: 200, body: '{"status":"ok"}\n' })
    expect(await get('/healthz?probe=1', 'HEAD')).toMatchObject({ status: 200, body: '' })
  })
})

describe('/readyz', () => {
  const answer = async () => {
    const { status, body } = await get('/readyz')
    return { status, ...(JSON.parse(body) as object) }
  }

  test('tells an owner from a standby, and both are ready', async () => {
    const common = { status: 200, ready: true, redis: 'ok', unanswered: [], failing: [], endpoint: 'up' }
    expect(await answer()).toEqual({ ...common, role: 'standby', partitions: [] })
    partitions = [3, 0, 11]
    expect(await answer()).toEqual({ ...common, role: 'owner', partitions: [0, 3, 11] })
  })

  test('shows that the endpoint wants no more, and stays ready', async () => {
    endpoint = 'disabled'
    expect(await answer()).toMatchObject({ status: 200, ready: true, endpoint: 'disabled' })
  })

  test('is not ready while any connection is broken, and again when it is back', async () => {
    opened[2]?.stream.destroy()
    await until('its end', () => connections.broken().length === 1)
    expect(await answer()).toMatchObject({ status: 503, ready: false, redis: 'away', unanswered: ['bell'] })
    await until('readiness', async () => (await answer()).status === 200)
  })

  test('is not ready while no beat is answered, or a loop fails', async () => {
    beating = false
    expect(await answer()).toMatchObject({ status: 503, redis: 'away', unanswered: ['beat'] })
    beating = true
    failing = ['deliverer-0']
    expect(await answer()).toMatchObject({ status: 503, redis: 'ok', failing: ['deliverer-0'] })
  })

  test('forgets a connection that was closed on purpose', async () => {
    opened[1]?.disconnect()
    await until('its end', () => opened[1]?.status === 'end')
    expect(await answer()).toMatchObject({ status: 200, unanswered: [] })
  })

  test('is not ready while Redis hangs, and asks each connection once', async () => {
    const ping = vi.spyOn(opened[0] as Redis, 'ping')
    server.child?.signal('SIGSTOP')
    try {
      const answers = await Promise.all([answer(), answer(), answer()])
      for (const one of answers)
        expect(one).toMatchObject({ status: 503, redis: 'away', unanswered: ['core', 'taking-0'] })
      expect(ping).toHaveBeenCalledOnce()
    } finally {
      server.child?.signal('SIGCONT')
      ping.mockRestore()
    }
    await until('readiness', async () => (await answer()).status === 200)
  })
})

describe('/metrics', () => {
  const lines = async () => {
    const { status, body, type } = await get('/metrics')
    expect(status).toBe(200)
    expect(type).toContain('text/plain')
    return body.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  }

  test('shows owned partitions, and forgets them', async () => {
    const unwatch = metrics.watch(source())
    metrics.watch(
      source({ partition: 2, epoch: 9, outbox: async () => ({ count: 4, oldestAt: clock.now() - 60_000 }) }),
    )
    const shown = await lines()
    expect(shown).toContain('kurir_sessions{state="open"} 6')
    expect(shown).toContain('kurir_sessions{state="pairing"} 0')
    expect(shown).toContain('kurir_lane_depth{partition="0"} 5')
    expect(shown).toContain('kurir_outbox_depth{partition="0"} 0')
    expect(shown).toContain('kurir_outbox_oldest_seconds{partition="0"} 0')
    expect(shown).toContain('kurir_outbox_depth{partition="2"} 4')
    expect(shown).toContain('kurir_lease_epoch{partition="0"} 7')
    const age = (name: string, partition: number) =>
      Number(shown.find(line => line.startsWith(`${name}{partition="${partition}"}`))?.split(' ')[1])
    expect(age('kurir_lane_oldest_seconds', 0)).toBeCloseTo(10, 0)
    expect(age('kurir_outbox_oldest_seconds', 2)).toBeCloseTo(60, 0)
    unwatch()
    expect((await lines()).filter(line => line.includes('partition="0"'))).toEqual([])
  })

  test('counts what the parts tell', async () => {
    metrics.jobEnded('SEND_TEXT', 0.2)
    metrics.jobEnded('SEND_TEXT', 3, 'ACK_TIMEOUT')
    metrics.attemptEnded({ kind: 'delivered' }, 0.02)
    metrics.attemptEnded({ kind: 'retry' }, 15)
    metrics.eventParked()
    metrics.reconnecting(428)
    metrics.reconnecting(428)
    endpoint = 'down'
    const shown = await lines()
    expect(shown).toContain('kurir_jobs_total{job="SEND_TEXT",result="completed"} 1')
    expect(shown).toContain('kurir_jobs_total{job="SEND_TEXT",result="ACK_TIMEOUT"} 1')
    expect(shown).toContain('kurir_jobs_total{job="GROUP_CREATE",result="completed"} 0')
    expect(shown).toContain('kurir_job_seconds_bucket{le="0.25",job="SEND_TEXT"} 1')
    expect(shown).toContain('kurir_deliveries_total{outcome="delivered"} 1')
    expect(shown).toContain('kurir_delivery_seconds_count 2')
    expect(shown).toContain('kurir_events_parked_total 1')
    expect(shown).toContain('kurir_reconnects_total{code="428"} 2')
    expect(shown).toContain('kurir_webhook_endpoint{state="down"} 1')
    expect(shown).toContain('kurir_webhook_endpoint{state="up"} 0')
  })

  test('shows what keeps the worker from working, while it does', async () => {
    const broken = ['core']
    const failed: string[] = ['deliverer-0']
    showTroubles(registry, { redis: () => broken, loops: () => failed })
    const troubles = async () => (await lines()).filter(line => line.startsWith('kurir_trouble'))
    expect(await troubles()).toEqual([
      'kurir_trouble{kind="redis",name="core"} 1',
      'kurir_trouble{kind="loop",name="deliverer-0"} 1',
    ])
    broken.pop()
    failed.pop()
    expect(await troubles()).toEqual([])
  })

  test('has the event loop and the process', async () => {
    const names = (await lines()).map(line => line.replace(/[{ ].*/, ''))
    expect(names).toEqual(expect.arrayContaining(['nodejs_eventloop_lag_p99_seconds', 'process_resident_memory_bytes']))
  })

  test('shows the rest when a source fails or hangs', async () => {
    metrics.watch(
      source({
        lanes: () => {
          throw new Error('no')
        },
        outbox: async () => new Promise(() => {}),
      }),
    )
    const shown = await lines()
    expect(shown).toContain('kurir_sessions{state="open"} 3')
    expect(shown.filter(line => line.startsWith('kurir_lane') || line.startsWith('kurir_outbox'))).toEqual([])
  })
})

test.each([
  ['/', 'GET', 404],
  ['/metrics/', 'GET', 404],
  ['/constructor', 'GET', 404],
  ['/readyz', 'POST', 405],
  ['/metrics', 'DELETE', 405],
])('%s %s is %i', async (path, method, status) => {
  expect((await get(path, method)).status).toBe(status)
})

test('a port that is taken is an error', async () => {
  const { port } = health
  const again = startHealthServer({ port, host: '127.0.0.1', log, registry, readiness: async () => Promise.reject() })
  await expect(again).rejects.toThrow('EADDRINUSE')
})

test('connections that are left idle keep nobody from asking', async () => {
  const idle = Array.from({ length: 80 }, () => connect(health.port, '127.0.0.1').on('error', () => {}))
  await Promise.all(idle.map(async socket => once(socket, 'connect')))
  expect((await get('/healthz')).status).toBe(200)
  for (const socket of idle) socket.destroy()
})
