import { DEFAULT_CONNECTION_CONFIG, type WASocket } from '@whiskeysockets/baileys'
import { describe, expect, it } from 'vitest'
import { until } from '../../dev/stack/until.ts'
import { keys } from '../../shared/keys.ts'
import { around } from '../../dev/testing/owner.ts'
import { sessionRig } from '../../dev/testing/session-rig.ts'

const rig = sessionRig()

describe('disconnects', () => {
  it.each([503, 428, 408, 500, 515, 440])('comes back after %i with its credentials', async code => {
    const self = await rig.owner()
    const phone = await rig.link(self)
    const creds = await rig.redis.hexists(keys.credentials(rig.sessionId), 'creds')
    const [before] = await rig.connections(phone)
    await rig.whatsapp.disconnect(phone, { code })
    await until('another connection', async () => {
      const [now] = await rig.connections(phone)
      return now !== undefined && now.connection !== before?.connection
    })
    await rig.inState('open')
    await rig.isReady(self)
    await rig.send(self, '628110000901', 'still here')
    expect(await rig.redis.hexists(keys.credentials(rig.sessionId), 'creds')).toBe(creds)
    expect(await rig.connections(phone)).toHaveLength(1)
  })

  it('says what to do when its version is refused, and links with a newer one once that is known', async () => {
    const { version } = DEFAULT_CONNECTION_CONFIG
    let revision = version[2]
    rig.world.socket = { ...rig.world.socket, version: () => [version[0], version[1], revision] }
    await rig.whatsapp.settings({ leastRevision: revision + 1 })
    try {
      const refused = Promise.withResolvers<string>()
      const self = await rig.owner({ onDisconnect: ({ reason }) => refused.resolve(reason) })
      await self.run('START_SESSION', { sessionId: rig.sessionId })
      expect(await refused.promise).toBe('client_outdated')
      const view = await rig.inState('backoff')
      expect(view.lastDisconnect).toMatchObject({ statusCode: 405, willReconnect: true })
      expect(view.lastDisconnect?.message).toContain('WA_VERSION')
      revision += 1
      await rig.shown('qr')
    } finally {
      await rig.whatsapp.settings({ leastRevision: 0 })
    }
  })

  it('outlasts a storm of refused logins, each wait in bounds', async () => {
    const waits: number[] = []
    const self = await rig.owner({ onDisconnect: () => waits.push(performance.now()) })
    const phone = await rig.link(self)
    waits.length = 0
    await rig.whatsapp.fault({ kind: 'refuse-login', code: 503, phone, count: 8 })
    await rig.whatsapp.disconnect(phone, { how: 'cut' })
    await until('nine disconnects', () => waits.length === 9)
    await rig.inState('open')
    expect(await rig.redis.hexists(keys.credentials(rig.sessionId), 'creds')).toBe(1)
    const events = await rig.updates()
    expect(events.filter(({ connection }) => connection === 'close')).toHaveLength(9)
  })

  it('leaves the session to another client that keeps taking it, and comes back at START', async () => {
    const self = await rig.owner()
    const phone = await rig.link(self)
    await rig.whatsapp.fault({ kind: 'refuse-login', code: 440, phone })
    await rig.whatsapp.disconnect(phone, { code: 440 })
    const view = await rig.inState('replaced')
    expect(view.lastDisconnect).toEqual({
      statusCode: 440,
      reason: 'replaced',
      willReconnect: false,
      message: expect.any(String),
    })
    await expect(rig.send(self, '628110000901', 'hi')).rejects.toMatchObject({ code: 'SESSION_REPLACED' })
    await rig.whatsapp.clearFaults()
    await self.run('START_SESSION', { sessionId: rig.sessionId })
    await rig.inState('open')
  })

  it('rests on a refusal for good, with its credentials', async () => {
    const self = await rig.owner()
    const phone = await rig.link(self)
    await rig.whatsapp.fault({ kind: 'refuse-login', code: 403, phone, count: 1 })
    await rig.whatsapp.disconnect(phone)
    const view = await rig.inState('stopped')
    expect(view.lastDisconnect).toEqual({
      statusCode: 403,
      reason: 'forbidden',
      willReconnect: false,
      message: expect.any(String),
    })
    expect(await rig.redis.hexists(keys.credentials(rig.sessionId), 'creds')).toBe(1)
  })

  it('outlives what Baileys leaves unhandled: a frame that is garbage, a stanza at a closed socket', async () => {
    const sockets: WASocket[] = []
    const self = await rig.owner()
    const attach = around(self.attach, follow => socket => {
      sockets.push(socket.sock)
      return follow(socket)
    })
    await self.sessions.close()
    const watched = await rig.owner({ attach })
    await rig.link(watched)
    const sock = sockets.at(-1)
    // It may be back before anybody polls for it.
    const missed = Promise.withResolvers<void>()
    watched.sessions.onChange(id => {
      if (!watched.sessions.ready(id)) missed.resolve()
    })
    sock?.ws.emit('message', Buffer.from([0, 0, 4, 1, 2, 3, 4]))
    await missed.promise
    sock?.ws.emit('CB:ib,,offline_preview', { tag: 'ib', attrs: {} })
    sock?.ws.emit('CB:ib,,dirty', { tag: 'ib', attrs: {} })
    // An unhandled rejection would fail this run.
    await rig.isReady(watched)
    expect(sockets.at(-1)).not.toBe(sock)
  })

  it('lets a job wait whose socket goes away under it', async () => {
    const self = await rig.owner()
    const phone = await rig.link(self)
    await rig.whatsapp.fault({ kind: 'cut', when: 'after', phone, count: 1 })
    await expect(rig.send(self, '628110000901', 'hi')).rejects.toMatchObject({ retry: 'wait' })
    expect(self.sessions.ready(rig.sessionId)).toBe(false)
    await rig.isReady(self)
  })
})
