import { initAuthCreds } from '@whiskeysockets/baileys'
import { describe, expect, it } from 'vitest'
import { aliceJid, bob, bobJid, bobLid, sessionId, signalRig, text } from '../../../dev/testing/signal-rig.ts'
import { keys } from '../../../shared/keys.ts'

const rig = signalRig()

/** Texts to Bob's number, each while a text of his is read that came from his LID. */
async function byBothNames(): Promise<string[]> {
  const friend = bob()
  const { signal } = rig.alice(initAuthCreds())
  await signal.lidMapping.storeLIDPNMappings([{ lid: bobLid, pn: bobJid }])
  await signal.injectE2ESession({ jid: bobJid, session: friend.bundle })
  const read: string[] = []
  for (const body of ['zero', 'one', 'two', 'three']) {
    const sending = signal.encryptMessage({ jid: bobJid, data: Buffer.from(body) })
    if (read.length > 0) {
      const answer = await friend.signal.encryptMessage({ jid: aliceJid, data: Buffer.from('hello') })
      await signal.decryptMessage({ jid: bobLid, ...answer })
    }
    read.push(text(await friend.signal.decryptMessage({ jid: aliceJid, ...(await sending) })))
  }
  return read
}

/** Texts to Bob's number around the moment at which his LID becomes known, `steps` microtasks after the first of them. */
async function migrating(steps: number, devicesAreKnown: boolean): Promise<string[]> {
  const friend = bob()
  const { signal, store, gate } = rig.alice(initAuthCreds())
  const sent: Awaited<ReturnType<typeof signal.encryptMessage>>[] = []
  const toBob = async (body: string) =>
    void sent.push(await signal.encryptMessage({ jid: bobJid, data: Buffer.from(body) }))
  // Without it Baileys moves nothing.
  if (devicesAreKnown) await store.set({ 'device-list': { [bobJid.split('@')[0] ?? '']: ['0'] } })
  await signal.injectE2ESession({ jid: bobJid, session: friend.bundle })
  await toBob('zero')
  const crossing = [toBob('one'), toBob('two'), toBob('three')]
  for (let i = 0; i < steps; i++) await Promise.resolve()
  await signal.lidMapping.storeLIDPNMappings([{ lid: bobLid, pn: bobJid }])
  crossing.push(toBob('four'))
  await signal.migrateSession(bobJid, bobLid)
  await Promise.all(crossing)
  await toBob('five')
  await gate.passed()
  const read: string[] = []
  for (const each of sent) read.push(text(await friend.signal.decryptMessage({ jid: aliceJid, ...each })))
  return read
}

/** A text of Bob's that was on its way while his LID became known and got a new session. */
async function afterSessionUnderLid(): Promise<string> {
  const friend = bob()
  const { signal } = rig.alice(initAuthCreds())
  const toAlice = async (body: string) => friend.signal.encryptMessage({ jid: aliceJid, data: Buffer.from(body) })
  await signal.injectE2ESession({ jid: bobJid, session: friend.bundle })
  const first = await signal.encryptMessage({ jid: bobJid, data: Buffer.from('zero') })
  await friend.signal.decryptMessage({ jid: aliceJid, ...first })
  await signal.decryptMessage({ jid: bobJid, ...(await toAlice('hello')) })
  const late = await toAlice('late')
  await signal.lidMapping.storeLIDPNMappings([{ lid: bobLid, pn: bobJid }])
  const { preKey: _, ...withoutPreKey } = friend.bundle
  await signal.injectE2ESession({ jid: bobLid, session: withoutPreKey })
  await signal.migrateSession(bobJid, bobLid)
  return text(await signal.decryptMessage({ jid: bobLid, ...late }))
}

describe('a contact with a number and a LID', () => {
  it('goes one way for a contact with two names, written to by number and read from by LID', async () => {
    expect(await byBothNames()).toEqual(['zero', 'one', 'two', 'three'])
  })

  it('goes on under the LID when it becomes known, whenever that is', async () => {
    for (let steps = 0; steps < 120; steps++) {
      expect(await migrating(steps, steps % 2 === 0)).toEqual(['zero', 'one', 'two', 'three', 'four', 'five'])
      await rig.redis.del(keys.credentials(sessionId))
    }
  }, 90_000)

  it('keeps what a contact had by number when the LID gets a session of its own', async () => {
    expect(await afterSessionUnderLid()).toBe('late')
  })

  it('waits for nobody when asked to move what cannot be moved', async () => {
    const { signal } = rig.alice(initAuthCreds())
    for (const [from, to] of [
      [bobLid, bobJid],
      [bobJid, bobJid],
      [bobLid, bobLid],
    ] as const) {
      expect(await signal.migrateSession(from, to)).toMatchObject({ migrated: 0 })
    }
  })
})
