import { describe, expect, it } from 'vitest'
import { until } from '../../dev/stack/until.ts'
import { keys } from '../../shared/keys.ts'
import { sessionRig } from '../../dev/testing/session-rig.ts'

const rig = sessionRig()

describe('linking', () => {
  it('goes from START over a QR and its scan to open, and says so in the contract’s words', async () => {
    const self = await rig.owner()
    await self.run('START_SESSION', { sessionId: rig.sessionId })
    expect((await rig.view())?.state).toBe('pairing')
    expect(self.sessions.ready(rig.sessionId)).toBe(false)
    const qr = await rig.shown('qr')
    const { jid, lid } = await rig.whatsapp.scan(qr)
    const view = await rig.inState('open')
    expect(self.sessions.ready(rig.sessionId)).toBe(true)
    expect(view).toMatchObject({ jid: jid.replace(/:\d+/, ''), lid: lid.replace(/:\d+/, '') })
    expect(view.qr).toBeUndefined()
    // The 515 between pairing and login is no close.
    expect(await rig.updates()).toEqual([
      { connection: 'connecting' },
      { connection: 'connecting', qr },
      { connection: 'connecting' },
      { connection: 'open' },
    ])
    expect(await rig.redis.smembers(keys.started(0))).toEqual([rig.sessionId])
  })

  it('links by a code when a phone number is given, even where a QR was shown first', async () => {
    const self = await rig.owner()
    await self.run('START_SESSION', { sessionId: rig.sessionId })
    await rig.shown('qr')
    const phoneNumber = '628990000001'
    await self.run('START_SESSION', { sessionId: rig.sessionId, phoneNumber })
    const code = await rig.shown('pairingCode')
    expect((await rig.view())?.qr).toBeUndefined()
    expect(await rig.updates()).toContainEqual({ connection: 'connecting', pairingCode: code })
    // Half-linked creds would log in and be refused, which looks like a logout.
    expect(await rig.redis.exists(keys.credentials(rig.sessionId))).toBe(0)
    await rig.whatsapp.pairCode(phoneNumber, code)
    const view = await rig.inState('open')
    expect(view.pairingCode).toBeUndefined()
    expect(view.jid).toBe(`${phoneNumber}@s.whatsapp.net`)
  })

  it('gives up when nobody scans, keeps nothing, and begins anew at the next START', async () => {
    rig.world.socket = { ...rig.world.socket, qrMs: 30 }
    const self = await rig.owner()
    await self.run('START_SESSION', { sessionId: rig.sessionId })
    const view = await rig.inState('stopped')
    expect(view.lastDisconnect).toEqual({ statusCode: 408, reason: 'pairing_ended', willReconnect: false })
    await expect(rig.send(self, '628110000999', 'hi')).rejects.toMatchObject({ code: 'PAIRING_ENDED', retry: 'never' })
    await until('it to rest', async () => (await rig.redis.scard(keys.started(0))) === 0)
    expect(await rig.redis.exists(keys.credentials(rig.sessionId))).toBe(0)
    expect((await rig.updates()).at(-1)).toEqual({
      connection: 'close',
      lastDisconnect: view.lastDisconnect,
    })
    const before = (await rig.updates()).length
    await self.run('START_SESSION', { sessionId: rig.sessionId })
    // In the view it stands for a moment only.
    await until('another qr', async () => (await rig.updates()).slice(before).some(({ qr }) => qr !== undefined))
  })
})

describe('a linked session', () => {
  it('sends, and leaves nothing readable in Redis', async () => {
    const self = await rig.owner()
    const phone = await rig.link(self)
    const { key } = await rig.send(self, '628110000901', 'hello')
    const [received] = await rig.whatsapp.waitForReceived(1, { phone, id: key?.id ?? '' })
    expect(received).toMatchObject({ id: key?.id })
    const stored = await rig.redis.hgetallBuffer(keys.credentials(rig.sessionId))
    expect(Object.keys(stored)).toContain('creds')
    for (const value of Object.values(stored)) expect(value.toString('latin1')).not.toMatch(/Buffer|_sessions|private/)
  })

  it('opens without a QR after STOP and START', async () => {
    const self = await rig.owner()
    const phone = await rig.link(self)
    await self.run('STOP_SESSION', { sessionId: rig.sessionId })
    expect(await rig.connections(phone)).toEqual([])
    expect(await rig.view()).toMatchObject({ state: 'stopped', lastDisconnect: { reason: 'stopped' } })
    expect(await rig.redis.scard(keys.started(0))).toBe(0)
    await expect(rig.send(self, '628110000901', 'hi')).rejects.toMatchObject({
      code: 'SESSION_STOPPED',
      retry: 'never',
    })
    await self.run('STOP_SESSION', { sessionId: rig.sessionId })

    await rig.redis.del(keys.outbox(rig.sessionId))
    await self.run('START_SESSION', { sessionId: rig.sessionId })
    await rig.inState('open')
    expect(await rig.updates()).toEqual([{ connection: 'connecting' }, { connection: 'open' }])
    expect(await rig.connections(phone)).toHaveLength(1)
  })

  it('does nothing at a second START', async () => {
    const self = await rig.owner()
    const phone = await rig.link(self)
    const before = await rig.updates()
    await self.run('START_SESSION', { sessionId: rig.sessionId })
    expect(await rig.updates()).toEqual(before)
    expect(await rig.connections(phone)).toHaveLength(1)
  })

  it('leaves no key of its own and no linked device after DELETE', async () => {
    const self = await rig.owner()
    const phone = await rig.link(self)
    await rig.send(self, '628110000901', 'hello')
    await rig.whatsapp.sendText('628110000901', phone, 'hello you')
    await until('its answer', async () => (await rig.redis.llen(keys.received(rig.sessionId))) === 1)
    await rig.redis.hset(keys.receipt('whatsapp-jobs', '1'), 'sessionId', rig.sessionId)
    await rig.redis.zadd(keys.receipts(rig.sessionId), Date.now(), keys.receipt('whatsapp-jobs', '1'))
    await self.run('DELETE_SESSION', { sessionId: rig.sessionId })
    expect((await rig.updates()).at(-1)).toMatchObject({
      connection: 'close',
      lastDisconnect: { reason: 'deleted', willReconnect: false },
    })
    const { accounts } = await rig.whatsapp.accounts()
    expect(accounts.find(account => account.phone === phone)?.devices ?? []).toEqual([])
    expect(await rig.connections(phone)).toEqual([])
    // The outbox goes when its last event is delivered; nobody delivers here.
    const left = (await rig.redis.keys('*')).filter(
      key => !/^kurir:((lease|outbox|cursor|undelivered):|deleted$)/.test(key),
    )
    expect(left).toEqual([])
    await expect(rig.send(self, '628110000901', 'hi')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
    await expect(self.run('STOP_SESSION', { sessionId: rig.sessionId })).rejects.toMatchObject({
      code: 'SESSION_NOT_FOUND',
    })
    expect(await self.run('DELETE_SESSION', { sessionId: rig.sessionId })).toEqual({})
  })

  it('is deleted while it is stopped, too', async () => {
    const self = await rig.owner()
    await rig.link(self)
    await self.run('STOP_SESSION', { sessionId: rig.sessionId })
    await self.run('DELETE_SESSION', { sessionId: rig.sessionId })
    expect(await rig.redis.exists(keys.credentials(rig.sessionId), keys.session(rig.sessionId))).toBe(0)
  })

  it('is logged out by its phone: credentials go, jobs fail, START links anew', async () => {
    const self = await rig.owner()
    const phone = await rig.link(self)
    await rig.whatsapp.logout(phone)
    const view = await rig.inState('logged_out')
    expect(view).toMatchObject({ lastDisconnect: { statusCode: 401, reason: 'logged_out', willReconnect: false } })
    expect(view.jid).toBeUndefined()
    await until('it to rest', async () => (await rig.redis.scard(keys.started(0))) === 0)
    expect(await rig.redis.exists(keys.credentials(rig.sessionId))).toBe(0)
    await expect(rig.send(self, '628110000901', 'hi')).rejects.toMatchObject({ code: 'SESSION_LOGGED_OUT' })
    await self.run('START_SESSION', { sessionId: rig.sessionId })
    await rig.shown('qr')
  })
})
