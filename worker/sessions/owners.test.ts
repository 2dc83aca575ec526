import { describe, expect, it } from 'vitest'
import { until } from '../../dev/stack/until.ts'
import { keys } from '../../shared/keys.ts'
import { sessionRig } from '../../dev/testing/session-rig.ts'
import { newKey } from '../../dev/testing/owner.ts'

const rig = sessionRig()

describe('owners', () => {
  it('hands started sessions to the next: known at once, then open, with one socket each', async () => {
    const first = await rig.owner()
    const phone = await rig.link(first)
    await first.sessions.close()
    expect(await rig.connections(phone)).toEqual([])
    const before = (await rig.updates()).length

    const next = await rig.owner()
    const changes: string[] = []
    next.sessions.onChange(id => void changes.push(id))
    await next.sessions.restore()
    expect(next.sessions.ready(rig.sessionId)).toBe(false)
    await expect(rig.send(next, '628110000901', 'hi')).rejects.toMatchObject({ retry: 'wait' })
    await rig.isReady(next)
    await rig.send(next, '628110000901', 'from the next')
    expect(await rig.connections(phone)).toHaveLength(1)
    expect(changes).toContain(rig.sessionId)
    expect((await rig.updates()).slice(before)).toEqual([{ connection: 'connecting' }, { connection: 'open' }])
  })

  it('closes its sockets at once and writes nothing when the lease is lost', async () => {
    const self = await rig.owner()
    const phone = await rig.link(self)
    const keysBefore = await rig.redis.hgetall(keys.session(rig.sessionId))
    const events = (await rig.updates()).length
    // Redis would still let it write: it is the signal alone that ends it.
    self.abort()
    await until('the socket to be gone', async () => (await rig.connections(phone)).length === 0)
    expect(self.sessions.ready(rig.sessionId)).toBe(false)
    expect(await rig.redis.hgetall(keys.session(rig.sessionId))).toEqual(keysBefore)
    expect(await rig.updates()).toHaveLength(events)
    await expect(self.run('START_SESSION', { sessionId: rig.sessionId })).rejects.toMatchObject({ retry: 'wait' })
  })

  it('yields a session that was taken over together with the lease', async () => {
    const old = await rig.owner()
    const phone = await rig.link(old)
    const next = await rig.owner()
    await next.sessions.restore()
    await rig.isReady(next)
    await until('one socket', async () => (await rig.connections(phone)).length === 1)
    expect(old.sessions.ready(rig.sessionId)).toBe(false)
    await rig.send(next, '628110000901', 'mine now')
    expect((await rig.updates()).at(-1)).toEqual({ connection: 'open' })
  })

  it('sends nothing once the lease has passed to another, though nobody has told it', async () => {
    const self = await rig.owner()
    await rig.link(self)
    await self.loseLease()
    await expect(rig.send(self, '628110000902', 'too late')).rejects.toThrow(/lease|connection/)
    expect(await rig.whatsapp.received({ chat: '628110000902' })).toEqual([])
  })

  it('ends a socket whose keys cannot be stored', async () => {
    const self = await rig.owner()
    const phone = await rig.link(self)
    await self.loseLease()
    await rig.whatsapp.sendText('628110000903', phone, 'its ratchet cannot be kept')
    await until('the socket to be gone', async () => (await rig.connections(phone)).length === 0)
    expect(self.sessions.ready(rig.sessionId)).toBe(false)
  })

  it('keeps credentials that it cannot read, and tries again when the key is back', async () => {
    const first = await rig.owner()
    await rig.link(first)
    await first.sessions.close()
    const { credentialsKey } = rig.world
    rig.world.credentialsKey = newKey()
    const blind = await rig.owner()
    await blind.sessions.restore()
    await rig.inState('stopped')
    await expect(rig.send(blind, '628110000901', 'hi')).rejects.toMatchObject({ code: 'CREDENTIALS_UNREADABLE' })
    await expect(blind.run('START_SESSION', { sessionId: rig.sessionId })).rejects.toMatchObject({
      code: 'CREDENTIALS_UNREADABLE',
    })
    await blind.sessions.close()

    rig.world.credentialsKey = credentialsKey
    const seeing = await rig.owner()
    await seeing.sessions.restore()
    await rig.inState('open')
  })

  it('finishes what an owner left undone that died after a logout', async () => {
    const first = await rig.owner()
    await rig.link(first)
    await first.sessions.close()
    await rig.redis.hset(keys.session(rig.sessionId), { state: 'logged_out' })
    const next = await rig.owner()
    await next.sessions.restore()
    expect(await rig.redis.exists(keys.credentials(rig.sessionId), keys.started(0))).toBe(0)
    await expect(rig.send(next, '628110000901', 'hi')).rejects.toMatchObject({ code: 'SESSION_LOGGED_OUT' })
  })
})
