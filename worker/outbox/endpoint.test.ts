import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { importSecret, verify, type SigningKey } from '../../shared/signature.ts'
import { createGuardedAgent } from '../net/guard.ts'
import { createEndpoint, type Attempt, type Delivery } from './endpoint.ts'
import { message, receiver, testClock } from '../../dev/testing/outbox.ts'

const OLD = `whsec_${btoa('o'.repeat(32))}`
const NEW = `whsec_${btoa('n'.repeat(32))}`

const agent = createGuardedAgent({ allowHosts: new Set(), isPublic: address => address === '127.0.0.1' })
const clock = testClock()
const body = JSON.stringify(message('a', 'Halo 👍'))
const delivery: Delivery = { id: 'evt_1', seq: 7, attempt: 3, body }
const never = new AbortController().signal

let secrets: SigningKey[]
let hook: Awaited<ReturnType<typeof receiver>>

beforeAll(async () => {
  secrets = await Promise.all([NEW, OLD].map(importSecret))
})
afterAll(async () => agent.close())
beforeEach(async () => {
  hook = await receiver()
})
afterEach(async () => hook.close())

const endpoint = (timeoutMs = 5000, url = hook.url): Attempt =>
  createEndpoint({ url, secrets, dispatcher: agent, clock, timeoutMs, generation: () => 1700 })

test('posts the stored bytes with the headers of Standard Webhooks and our own', async () => {
  expect(await endpoint()(delivery, never)).toEqual({ kind: 'delivered', status: 204 })
  const [post] = hook.posts
  expect(post?.body).toBe(body)
  expect(post?.headers).toMatchObject({
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'user-agent': 'Kurir (webhooks)',
    'webhook-id': 'evt_1',
    'kurir-seq': '7',
    'kurir-attempt': '3',
  })
})

test.each([[[NEW]], [[OLD]], [[OLD, NEW]]])('is verified with either secret while they rotate (%#)', async known => {
  await endpoint()(delivery, never)
  const [post] = hook.posts
  const keys = await Promise.all(known.map(importSecret))
  expect(await verify(keys, post?.headers ?? {}, post?.body ?? '')).toMatchObject({ id: 'evt_1' })
})

test('gives each attempt a fresh timestamp and keeps the connection', async () => {
  const attempt = endpoint()
  await attempt(delivery, never)
  clock.add(3_600_000)
  await attempt({ ...delivery, attempt: 4 }, never)
  const times = hook.posts.map(post => Number(post.headers['webhook-timestamp']))
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(3600)
  expect(hook.connections()).toBe(1)
})

test.each([
  [200, { kind: 'delivered', status: 200 }],
  [299, { kind: 'delivered', status: 299 }],
  [301, { kind: 'retry', reason: 'HTTP 301' }],
  [400, { kind: 'retry', reason: 'HTTP 400' }],
  [404, { kind: 'retry', reason: 'HTTP 404' }],
  [410, { kind: 'gone' }],
  [500, { kind: 'retry', reason: 'HTTP 500' }],
  ['reset', { kind: 'retry', reason: expect.stringMatching(/^(ECONNRESET|UND_ERR_SOCKET)$/) as string }],
] as const)('%s is %o', async (reaction, outcome) => {
  hook.react(() => reaction)
  expect(await endpoint()(delivery, never)).toEqual(outcome)
})

test('follows no redirect', async () => {
  const other = await receiver()
  hook.react(() => response => void response.writeHead(307, { location: other.url.href }).end())
  expect(await endpoint()(delivery, never)).toEqual({ kind: 'retry', reason: 'HTTP 307' })
  expect(other.posts).toEqual([])
  await other.close()
})

test.each([
  [429, '30', 30_000],
  [503, '120', 120_000],
  [503, 'soon', undefined],
])('reads Retry-After of %i: %s', async (status, value, retryAfterMs) => {
  hook.react(() => response => void response.writeHead(status, { 'retry-after': value }).end())
  expect(await endpoint()(delivery, never)).toEqual({ kind: 'retry', reason: `HTTP ${status}`, retryAfterMs })
})

test('a receiver that does not answer in time is tried again', async () => {
  hook.react(() => 'hang')
  expect(await endpoint(1000)(delivery, never)).toEqual({ kind: 'retry', reason: 'TIMEOUT' })
})

test('a receiver that is not there is tried again', async () => {
  await hook.down()
  expect(await endpoint()(delivery, never)).toEqual({ kind: 'retry', reason: 'ECONNREFUSED' })
  await hook.up()
})

test('a private host is not connected to', async () => {
  const url = new URL(`http://127.0.0.2:${hook.url.port}/`)
  expect(await endpoint(5000, url)(delivery, never)).toEqual({ kind: 'retry', reason: 'ForbiddenHostError' })
  expect(hook.posts).toEqual([])
})

test('an answer counts although its body never ends, and costs neither memory nor time', async () => {
  hook.react(() => response => {
    response.writeHead(200)
    const write = () => void (response.destroyed || response.write('x'.repeat(65_536), write))
    write()
  })
  expect(await endpoint()(delivery, never)).toEqual({ kind: 'delivered', status: 200 })
  hook.react(() => response => void response.writeHead(200).write('x'))
  expect(await endpoint(100)(delivery, never)).toEqual({ kind: 'delivered', status: 200 })
})

test('an attempt that we cut short says so', async () => {
  const controller = new AbortController()
  hook.react(() => {
    setImmediate(() => controller.abort())
    return 'hang'
  })
  expect(await endpoint()(delivery, controller.signal)).toEqual({ kind: 'aborted' })
  expect(await endpoint()(delivery, controller.signal)).toEqual({ kind: 'aborted' })
  expect(hook.posts).toHaveLength(1)
})
