import type { LookupAddress } from 'node:dns'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { request } from 'undici'
import { createGuardedAgent, ForbiddenHostError, hostPortOf, type Resolve } from './guard.ts'

let server: Server
let port: number
let connections = 0

beforeAll(async () => {
  server = createServer((_request, response) => response.end('hello'))
  server.on('connection', () => connections++)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const answering =
  (...addresses: string[]): Resolve =>
  (_hostname, _options, done) =>
    done(
      null,
      addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
    )

const onlySecond = (address: string) => address === '127.0.0.2'

async function get(url: string, options: Partial<Parameters<typeof createGuardedAgent>[0]> = {}): Promise<string> {
  await using agent = disposable(createGuardedAgent({ allowHosts: new Set(), connectTimeoutMs: 300, ...options }))
  const { body } = await request(url, { dispatcher: agent.agent })
  return body.text()
}

function disposable(agent: ReturnType<typeof createGuardedAgent>) {
  return { agent, [Symbol.asyncDispose]: async () => agent.destroy() }
}

describe('createGuardedAgent', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1'],
    ['short form', '127.1'],
    ['octal', '0177.0.0.1'],
    ['hexadecimal', '0x7f.0.0.1'],
    ['decimal', '2130706433'],
    ['fullwidth digits', '１２７.0.0.1'],
    ['unspecified', '0.0.0.0'],
    ['IPv6 loopback', '[::1]'],
    ['mapped', '[::ffff:127.0.0.1]'],
    ['compatible', '[::127.0.0.1]'],
    ['NAT64', '[64:ff9b::7f00:1]'],
    ['localhost', 'localhost'],
    ['a user before the host', 'example.com@127.0.0.1'],
  ])('refuses %s before anything is connected', async (_kind, host) => {
    const before = connections
    await expect(get(`http://${host}:${port}/`)).rejects.toBeInstanceOf(ForbiddenHostError)
    expect(connections).toBe(before)
  })

  test('refuses a public name that resolves to a private address', async () => {
    const before = connections
    const reply = get(`http://innocent.example:${port}/`, { resolve: answering('127.0.0.1', '::1', '10.0.0.1') })
    await expect(reply).rejects.toBeInstanceOf(ForbiddenHostError)
    expect(connections).toBe(before)
  })

  test('never tries the private one of several addresses', async () => {
    const before = connections
    // The server listens on 127.0.0.1 only; 127.0.0.2 plays a public address that refuses.
    const resolve = answering('127.0.0.1', '127.0.0.2', '127.0.0.1')
    const reply = get(`http://mixed.example:${port}/`, { resolve, isPublic: onlySecond })
    await expect(reply).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(connections).toBe(before)
  })

  test('asks for the name once a connection and connects to what was checked', async () => {
    let lookups = 0
    const rebinding: Resolve = (hostname, options, done) => {
      lookups += 1
      answering(lookups === 1 ? '127.0.0.2' : '127.0.0.1')(hostname, options, done)
    }
    const before = connections
    const reply = get(`http://rebinding.example:${port}/`, { resolve: rebinding, isPublic: onlySecond })
    await expect(reply).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(lookups).toBe(1)
    expect(connections).toBe(before)
  })

  test('reaches a public address', async () => {
    const isPublic = (address: string) => address === '127.0.0.1'
    const body = await get(`http://public.example:${port}/`, { resolve: answering('10.0.0.1', '127.0.0.1'), isPublic })
    expect(body).toBe('hello')
  })

  test('lets an allowed host with its port through', async () => {
    expect(await get(`http://127.0.0.1:${port}/`, { allowHosts: new Set([`127.0.0.1:${port}`]) })).toBe('hello')
    expect(await get(`http://LOCALHOST:${port}/`, { allowHosts: new Set([`localhost:${port}`]) })).toBe('hello')
  })

  test.each(['127.0.0.1:1', '127.0.0.1'])('refuses another port of a host that is allowed: %s', async allowed => {
    const reply = get(`http://127.0.0.1:${port}/`, { allowHosts: new Set([allowed]) })
    await expect(reply).rejects.toBeInstanceOf(ForbiddenHostError)
  })

  test('knows the port that a URL does not name', () => {
    expect(hostPortOf(new URL('https://Example.com/x'))).toBe('example.com:443')
    expect(hostPortOf(new URL('http://[::1]/'))).toBe('[::1]:80')
  })
})
