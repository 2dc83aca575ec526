import type { WASocket } from '@whiskeysockets/baileys'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { createSimulatorClient, type SimulatorClient } from '../../dev/simulator/client.ts'
import { startSimulator, type Simulator } from '../../dev/simulator/index.ts'
import { until } from '../../dev/stack/until.ts'
import { keys } from '../../shared/keys.ts'
import type { Attach } from './context.ts'
import type { SessionsDeps } from './sessions.ts'
import { newKey, own, updatesOf, viewOf, type TestOwner, type TestWorld } from './testing.ts'

let server: RunningRedis
let redis: Redis
let simulator: Simulator
let whatsapp: SimulatorClient
let world: TestWorld
let owners: TestOwner[]
let sessionId: string
let numbers = 0

beforeAll(async () => {
  server = await startRedis()
  redis = new Redis(server.url, { maxRetriesPerRequest: null })
  simulator = await startSimulator()
  whatsapp = createSimulatorClient(simulator.controlUrl)
})
afterAll(async () => {
  await simulator.close()
  redis.disconnect()
  await server.close()
})
beforeEach(async () => {
  await redis.flushall()
  await whatsapp.clearFaults()
  const noiseRootKey = Buffer.from(simulator.rootKeyHex, 'hex')
  world = { redis, socket: { url: simulator.waUrl, noiseRootKey }, credentialsKey: newKey() }
  owners = []
  sessionId = `user-${++numbers}`
})
afterEach(async () => {
  await Promise.all(owners.map(({ sessions }) => sessions.close()))
})

async function owner(changes?: Partial<SessionsDeps>): Promise<TestOwner> {
  const made = await own(world, changes)
  owners.push(made)
  return made
}

const inState = (state: string, id = sessionId) =>
  until(`${id} to be ${state}`, async () => {
    const view = await viewOf(redis, id)
    return view?.state === state && view
  })

const shown = (field: 'qr' | 'pairingCode') =>
  until(`a ${field}`, async () => (await viewOf(redis, sessionId))?.[field])

/** Starts the session and links it; resolves with its number when it is open. */
async function link(self: TestOwner): Promise<string> {
  await self.run('START_SESSION', { sessionId })
  const { phone } = await whatsapp.scan(await shown('qr'))
  await inState('open')
  return phone
}

const send = (self: TestOwner, to: string, text: string) =>
  self.run('SEND_TEXT', { sessionId, to: `${to}@s.whatsapp.net`, text })

const connections = async (phone: string) =>
  (await whatsapp.connections()).connections.filter(connection => connection.phone === phone)

describe('linking', () => {
  it('goes from START over a QR and its scan to open, and says so in the contract’s words', async () => {
    const self = await owner()
    await self.run('START_SESSION', { sessionId })
    expect((await viewOf(redis, sessionId))?.state).toBe('pairing')
    expect(self.sessions.ready(sessionId)).toBe(false)
    const qr = await shown('qr')
    const { jid, lid } = await whatsapp.scan(qr)
    const view = await inState('open')
    expect(self.sessions.ready(sessionId)).toBe(true)
    expect(view).toMatchObject({ jid: jid.replace(/:\d+/, ''), lid: lid.replace(/:\d+/, '') })
    expect(view.qr).toBeUndefined()
    // The 515 between pairing and login is no close.
    expect(await updatesOf(redis, sessionId)).toEqual([
      { connection: 'connecting' },
      { connection: 'connecting', qr },
      { connection: 'connecting' },
      { connection: 'open' },
    ])
    expect(await redis.smembers(keys.started(0))).toEqual([sessionId])
  })

  it('links by a code when a phone number is given, even where a QR was shown first', async () => {
    const self = await owner()
    await self.run('START_SESSION', { sessionId })
    await shown('qr')
    const phoneNumber = '628990000001'
    await self.run('START_SESSION', { sessionId, phoneNumber })
    const code = await shown('pairingCode')
    expect((await viewOf(redis, sessionId))?.qr).toBeUndefined()
    expect(await updatesOf(redis, sessionId)).toContainEqual({ connection: 'connecting', pairingCode: code })
    // Half-linked creds would log in and be refused, which looks like a logout.
    expect(await redis.exists(keys.credentials(sessionId))).toBe(0)
    await whatsapp.pairCode(phoneNumber, code)
    const view = await inState('open')
    expect(view.pairingCode).toBeUndefined()
    expect(view.jid).toBe(`${phoneNumber}@s.whatsapp.net`)
  })

  it('gives up when nobody scans, keeps nothing, and begins anew at the next START', async () => {
    world.socket = { ...world.socket, qrMs: 30 }
    const self = await owner()
    await self.run('START_SESSION', { sessionId })
    const view = await inState('stopped')
    expect(view.lastDisconnect).toEqual({ statusCode: 408, reason: 'pairing_ended', willReconnect: false })
    await expect(send(self, '628110000999', 'hi')).rejects.toMatchObject({ code: 'PAIRING_ENDED', retry: 'never' })
    await until('it to rest', async () => (await redis.scard(keys.started(0))) === 0)
    expect(await redis.exists(keys.credentials(sessionId))).toBe(0)
    expect((await updatesOf(redis, sessionId)).at(-1)).toEqual({
      connection: 'close',
      lastDisconnect: view.lastDisconnect,
    })
    await self.run('START_SESSION', { sessionId })
    await shown('qr')
  })
})

describe('a linked session', () => {
  it('sends, and leaves nothing readable in Redis', async () => {
    const self = await owner()
    const phone = await link(self)
    const { key } = await send(self, '628110000901', 'hello')
    const [received] = await whatsapp.waitForReceived(1, { phone, id: key?.id ?? '' })
    expect(received).toMatchObject({ id: key?.id })
    const stored = await redis.hgetallBuffer(keys.credentials(sessionId))
    expect(Object.keys(stored)).toContain('creds')
    for (const value of Object.values(stored)) expect(value.toString('latin1')).not.toMatch(/Buffer|_sessions|private/)
  })

  it('opens without a QR after STOP and START', async () => {
    const self = await owner()
    const phone = await link(self)
    await self.run('STOP_SESSION', { sessionId })
    expect(await connections(phone)).toEqual([])
    expect(await viewOf(redis, sessionId)).toMatchObject({ state: 'stopped', lastDisconnect: { reason: 'stopped' } })
    expect(await redis.scard(keys.started(0))).toBe(0)
    await expect(send(self, '628110000901', 'hi')).rejects.toMatchObject({ code: 'SESSION_STOPPED', retry: 'never' })
    await self.run('STOP_SESSION', { sessionId })

    await redis.del(keys.outbox(sessionId))
    await self.run('START_SESSION', { sessionId })
    await inState('open')
    expect(await updatesOf(redis, sessionId)).toEqual([{ connection: 'connecting' }, { connection: 'open' }])
    expect(await connections(phone)).toHaveLength(1)
  })

  it('does nothing at a second START', async () => {
    const self = await owner()
    const phone = await link(self)
    const before = await updatesOf(redis, sessionId)
    await self.run('START_SESSION', { sessionId })
    expect(await updatesOf(redis, sessionId)).toEqual(before)
    expect(await connections(phone)).toHaveLength(1)
  })

  it('leaves no key of its own and no linked device after DELETE', async () => {
    const self = await owner()
    const phone = await link(self)
    await send(self, '628110000901', 'hello')
    await redis.hset(keys.receipt('whatsapp-jobs', '1'), 'sessionId', sessionId)
    await redis.zadd(keys.receipts(sessionId), Date.now(), keys.receipt('whatsapp-jobs', '1'))
    await self.run('DELETE_SESSION', { sessionId })
    expect((await updatesOf(redis, sessionId)).at(-1)).toMatchObject({
      connection: 'close',
      lastDisconnect: { reason: 'deleted', willReconnect: false },
    })
    const { accounts } = await whatsapp.accounts()
    expect(accounts.find(account => account.phone === phone)?.devices ?? []).toEqual([])
    expect(await connections(phone)).toEqual([])
    // The outbox goes when its last event is delivered; nobody delivers here.
    const left = (await redis.keys('*')).filter(
      key => !/^kurir:((lease|outbox|cursor|undelivered):|deleted$)/.test(key),
    )
    expect(left).toEqual([])
    await expect(send(self, '628110000901', 'hi')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
    await expect(self.run('STOP_SESSION', { sessionId })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
    expect(await self.run('DELETE_SESSION', { sessionId })).toEqual({})
  })

  it('is deleted while it is stopped, too', async () => {
    const self = await owner()
    await link(self)
    await self.run('STOP_SESSION', { sessionId })
    await self.run('DELETE_SESSION', { sessionId })
    expect(await redis.exists(keys.credentials(sessionId), keys.session(sessionId))).toBe(0)
  })

  it('is logged out by its phone: credentials go, jobs fail, START links anew', async () => {
    const self = await owner()
    const phone = await link(self)
    await whatsapp.logout(phone)
    const view = await inState('logged_out')
    expect(view).toMatchObject({ lastDisconnect: { statusCode: 401, reason: 'logged_out', willReconnect: false } })
    expect(view.jid).toBeUndefined()
    await until('it to rest', async () => (await redis.scard(keys.started(0))) === 0)
    expect(await redis.exists(keys.credentials(sessionId))).toBe(0)
    await expect(send(self, '628110000901', 'hi')).rejects.toMatchObject({ code: 'SESSION_LOGGED_OUT' })
    await self.run('START_SESSION', { sessionId })
    await shown('qr')
  })
})

describe('disconnects', () => {
  it.each([503, 428, 408, 500, 515, 440])('comes back after %i with its credentials', async code => {
    const self = await owner()
    const phone = await link(self)
    const creds = await redis.hexists(keys.credentials(sessionId), 'creds')
    const [before] = await connections(phone)
    await whatsapp.disconnect(phone, { code })
    await until('another connection', async () => {
      const [now] = await connections(phone)
      return now !== undefined && now.connection !== before?.connection
    })
    await inState('open')
    await until('readiness', () => self.sessions.ready(sessionId))
    await send(self, '628110000901', 'still here')
    expect(await redis.hexists(keys.credentials(sessionId), 'creds')).toBe(creds)
    expect(await connections(phone)).toHaveLength(1)
  })

  it('outlasts a storm of refused logins, each wait in bounds', async () => {
    const waits: number[] = []
    const self = await owner({ onDisconnect: () => waits.push(performance.now()) })
    const phone = await link(self)
    waits.length = 0
    await whatsapp.fault({ kind: 'refuse-login', code: 503, phone, count: 8 })
    await whatsapp.disconnect(phone, { how: 'cut' })
    await until('nine disconnects', () => waits.length === 9)
    await inState('open')
    expect(await redis.hexists(keys.credentials(sessionId), 'creds')).toBe(1)
    const events = await updatesOf(redis, sessionId)
    expect(events.filter(({ connection }) => connection === 'close')).toHaveLength(9)
  })

  it('leaves the session to another client that keeps taking it, and comes back at START', async () => {
    const self = await owner()
    const phone = await link(self)
    await whatsapp.fault({ kind: 'refuse-login', code: 440, phone })
    await whatsapp.disconnect(phone, { code: 440 })
    const view = await inState('replaced')
    expect(view.lastDisconnect).toEqual({ statusCode: 440, reason: 'replaced', willReconnect: false })
    await expect(send(self, '628110000901', 'hi')).rejects.toMatchObject({ code: 'SESSION_REPLACED' })
    await whatsapp.clearFaults()
    await self.run('START_SESSION', { sessionId })
    await inState('open')
  })

  it('rests on a refusal for good, with its credentials', async () => {
    const self = await owner()
    const phone = await link(self)
    await whatsapp.fault({ kind: 'refuse-login', code: 403, phone, count: 1 })
    await whatsapp.disconnect(phone)
    const view = await inState('stopped')
    expect(view.lastDisconnect).toEqual({ statusCode: 403, reason: 'forbidden', willReconnect: false })
    expect(await redis.hexists(keys.credentials(sessionId), 'creds')).toBe(1)
  })

  it('outlives what Baileys leaves unhandled: a frame that is garbage, a stanza at a closed socket', async () => {
    const sockets: WASocket[] = []
    const self = await owner()
    const attach: Attach = async session => {
      const follow = await self.attach(session)
      return socket => {
        sockets.push(socket.sock)
        return follow(socket)
      }
    }
    await self.sessions.close()
    const watched = await owner({ attach })
    await link(watched)
    const sock = sockets.at(-1)
    sock?.ws.emit('message', Buffer.from([0, 0, 4, 1, 2, 3, 4]))
    await until('it to be missed', () => !watched.sessions.ready(sessionId))
    sock?.ws.emit('CB:ib,,offline_preview', { tag: 'ib', attrs: {} })
    sock?.ws.emit('CB:ib,,dirty', { tag: 'ib', attrs: {} })
    // An unhandled rejection would fail this run.
    await until('readiness', () => watched.sessions.ready(sessionId))
    expect(sockets.at(-1)).not.toBe(sock)
  })

  it('lets a job wait whose socket goes away under it', async () => {
    const self = await owner()
    const phone = await link(self)
    await whatsapp.fault({ kind: 'cut', when: 'after', phone, count: 1 })
    await expect(send(self, '628110000901', 'hi')).rejects.toMatchObject({ retry: 'wait' })
    expect(self.sessions.ready(sessionId)).toBe(false)
    await until('readiness', () => self.sessions.ready(sessionId))
  })
})

describe('owners', () => {
  it('hands started sessions to the next: known at once, then open, with one socket each', async () => {
    const first = await owner()
    const phone = await link(first)
    await first.sessions.close()
    expect(await connections(phone)).toEqual([])
    const before = (await updatesOf(redis, sessionId)).length

    const next = await owner()
    const changes: string[] = []
    next.sessions.onChange(id => void changes.push(id))
    await next.sessions.restore()
    expect(next.sessions.ready(sessionId)).toBe(false)
    await expect(send(next, '628110000901', 'hi')).rejects.toMatchObject({ retry: 'wait' })
    await until('readiness', () => next.sessions.ready(sessionId))
    await send(next, '628110000901', 'from the next')
    expect(await connections(phone)).toHaveLength(1)
    expect(changes).toContain(sessionId)
    expect((await updatesOf(redis, sessionId)).slice(before)).toEqual([
      { connection: 'connecting' },
      { connection: 'open' },
    ])
  })

  it('closes its sockets at once and writes nothing when the lease is lost', async () => {
    const self = await owner()
    const phone = await link(self)
    const keysBefore = await redis.hgetall(keys.session(sessionId))
    const events = (await updatesOf(redis, sessionId)).length
    // Redis would still let it write: it is the signal alone that ends it.
    self.abort()
    await until('the socket to be gone', async () => (await connections(phone)).length === 0)
    expect(self.sessions.ready(sessionId)).toBe(false)
    expect(await redis.hgetall(keys.session(sessionId))).toEqual(keysBefore)
    expect(await updatesOf(redis, sessionId)).toHaveLength(events)
    await expect(self.run('START_SESSION', { sessionId })).rejects.toMatchObject({ retry: 'wait' })
  })

  it('yields a session that was taken over together with the lease', async () => {
    const old = await owner()
    const phone = await link(old)
    const next = await owner()
    await next.sessions.restore()
    await until('readiness', () => next.sessions.ready(sessionId))
    await until('one socket', async () => (await connections(phone)).length === 1)
    expect(old.sessions.ready(sessionId)).toBe(false)
    await send(next, '628110000901', 'mine now')
    expect((await updatesOf(redis, sessionId)).at(-1)).toEqual({ connection: 'open' })
  })

  it('sends nothing once the lease has passed to another, though nobody has told it', async () => {
    const self = await owner()
    await link(self)
    await self.loseLease()
    await expect(send(self, '628110000902', 'too late')).rejects.toThrow(/lease|connection/)
    expect(await whatsapp.received({ chat: '628110000902' })).toEqual([])
  })

  it('ends a socket whose keys cannot be stored', async () => {
    const self = await owner()
    const phone = await link(self)
    await self.loseLease()
    await whatsapp.sendText('628110000903', phone, 'its ratchet cannot be kept')
    await until('the socket to be gone', async () => (await connections(phone)).length === 0)
    expect(self.sessions.ready(sessionId)).toBe(false)
  })

  it('keeps credentials that it cannot read, and tries again when the key is back', async () => {
    const first = await owner()
    await link(first)
    await first.sessions.close()
    const { credentialsKey } = world
    world.credentialsKey = newKey()
    const blind = await owner()
    await blind.sessions.restore()
    await inState('stopped')
    await expect(send(blind, '628110000901', 'hi')).rejects.toMatchObject({ code: 'CREDENTIALS_UNREADABLE' })
    await expect(blind.run('START_SESSION', { sessionId })).rejects.toMatchObject({ code: 'CREDENTIALS_UNREADABLE' })
    await blind.sessions.close()

    world.credentialsKey = credentialsKey
    const seeing = await owner()
    await seeing.sessions.restore()
    await inState('open')
  })

  it('finishes what an owner left undone that died after a logout', async () => {
    const first = await owner()
    await link(first)
    await first.sessions.close()
    await redis.hset(keys.session(sessionId), { state: 'logged_out' })
    const next = await owner()
    await next.sessions.restore()
    expect(await redis.exists(keys.credentials(sessionId), keys.started(0))).toBe(0)
    await expect(send(next, '628110000901', 'hi')).rejects.toMatchObject({ code: 'SESSION_LOGGED_OUT' })
  })
})
