import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSimulatorClient, type SimulatorClient } from './client.ts'
import { startSimulator, type Simulator } from './index.ts'
import { createTestClient, linkByQr, textArrived, type TestClient } from '../testing/baileys-client.ts'

const [ANI, BUDI, CITRA, SHY, GONE] = [
  '628999000011',
  '628999000012',
  '628999000013',
  '628999000014',
  '628999000015',
] as const
const jid = (phone: string): string => `${phone}@s.whatsapp.net`

let simulator: Simulator
let control: SimulatorClient
let client: TestClient
let phone: string
let group: string

beforeAll(async () => {
  simulator = await startSimulator()
  control = createSimulatorClient(simulator.controlUrl)
  await control.numbers({ restricted: [SHY], unregistered: [GONE] })
  client = createTestClient(simulator.waUrl)
  phone = await linkByQr(client, control)
  const made = await client.socket.groupCreate('Tim', [jid(ANI), jid(BUDI)])
  group = made.id
})
afterAll(async () => {
  await client.end()
  await simulator.close()
})

describe('groups', () => {
  it('are created with LIDs and told to the client', async () => {
    const metadata = await client.socket.groupMetadata(group)
    expect(metadata).toMatchObject({ subject: 'Tim', addressingMode: 'lid', size: 3 })
    expect(new Set(metadata.participants.map(({ phoneNumber }) => phoneNumber))).toEqual(
      new Set([phone, ANI, BUDI].map(jid)),
    )
    expect(metadata.participants.find(({ phoneNumber }) => phoneNumber === jid(phone))?.admin).toBe('superadmin')
    await client.on('groups.upsert', ([made]) => (made?.id === group ? true : undefined))
    expect(Object.keys(await client.socket.groupFetchAllParticipating())).toContain(group)
  })

  it('carry messages of the client to every member, by sender key', async () => {
    await client.socket.sendMessage(group, { text: 'hello all' })
    await client.socket.sendMessage(group, { text: 'hello again' })
    const [first, second] = await control.waitForReceived(2, { phone, chat: group })
    expect(first).toMatchObject({ text: 'hello all' })
    const shared = second?.opened.filter(({ type }) => type === 'skmsg')
    expect(shared?.map(part => part.phone).sort()).toEqual([phone, ANI, BUDI].sort())
    expect(second?.opened.every(({ ok }) => ok)).toBe(true)
    expect(second?.opened).toHaveLength(3)
  })

  it('carry messages of members to the client', async () => {
    await control.sendText(ANI, group, 'hello from ani')
    await control.sendText(ANI, group, 'ani again')
    const first = await textArrived(client, 'hello from ani')
    expect(first.message.key).toMatchObject({ remoteJid: group, participantAlt: jid(ANI) })
    await textArrived(client, 'ani again')
    await expect(control.sendText(CITRA, group, 'no')).rejects.toThrow('not_a_member')
  })

  it('send again for a member that could not read, and for a client that lost its keys', async () => {
    const fresh = await client.socket.groupCreate('Baru', [jid(ANI), jid(BUDI)])
    await control.fault({ kind: 'fail-decrypt', count: 1 })
    const sent = await client.socket.sendMessage(fresh.id, { text: 'once more' })
    const [first, second] = await control.waitForReceived(2, { phone, id: sent?.key.id ?? '' })
    const failed = first?.opened.filter(({ ok }) => !ok).map(part => part.phone)
    expect(new Set(failed).size).toBe(1)
    expect(second?.opened.every(({ ok }) => ok)).toBe(true)

    await control.sendText(BUDI, fresh.id, 'kept')
    await textArrived(client, 'kept')
    for (const name of client.store.keys()) if (name.startsWith('sender-key|')) client.store.delete(name)
    await control.sendText(BUDI, fresh.id, 'lost')
    await textArrived(client, 'lost')
    await control.sendText(BUDI, fresh.id, 'found')
    await textArrived(client, 'found')
  })

  it('change members with a result for each', async () => {
    const added = await client.socket.groupParticipantsUpdate(group, [CITRA, SHY, GONE, ANI].map(jid), 'add')
    expect(added.map(({ status }) => status)).toEqual(['200', '403', '404', '409'])
    const promoted = await client.socket.groupParticipantsUpdate(group, [jid(CITRA)], 'promote')
    expect(promoted).toMatchObject([{ status: '200' }])
    const { participants } = await client.socket.groupMetadata(group)
    expect(participants.find(({ phoneNumber }) => phoneNumber === jid(CITRA))?.admin).toBe('admin')
    await client.socket.groupParticipantsUpdate(group, [jid(CITRA)], 'demote')
    const removed = await client.socket.groupParticipantsUpdate(group, [jid(CITRA), jid(CITRA)], 'remove')
    expect(removed.map(({ status }) => status)).toEqual(['200', '404'])
    await client.on('group-participants.update', ({ action }) => (action === 'remove' ? true : undefined))
  })

  it('reach a member that was added later', async () => {
    await client.socket.groupParticipantsUpdate(group, [jid(CITRA)], 'add')
    await client.socket.sendMessage(group, { text: 'welcome' })
    const seen = await control.waitForReceived(3, { phone, chat: group })
    const citra = seen.at(-1)?.opened.filter(part => part.phone === CITRA && part.type === 'skmsg')
    expect(citra).toMatchObject([{ ok: true }])
  })

  it('change subject, description and settings', async () => {
    await client.socket.groupUpdateSubject(group, 'Tim Baru')
    await client.socket.groupUpdateDescription(group, 'Untuk semua')
    await client.socket.groupSettingUpdate(group, 'announcement')
    const metadata = await client.socket.groupMetadata(group)
    expect(metadata).toMatchObject({ subject: 'Tim Baru', desc: 'Untuk semua', announce: true })
    const code = await client.socket.groupInviteCode(group)
    expect(await client.socket.groupRevokeInvite(group)).not.toBe(code)
  })

  it('refuse who is not an admin, and let members leave', async () => {
    const theirs = await control.createGroup(ANI, 'Ani', [phone, BUDI])
    await client.on('groups.upsert', ([made]) => (made?.id === theirs.jid ? true : undefined))
    await expect(client.socket.groupParticipantsUpdate(theirs.jid, [jid(CITRA)], 'add')).rejects.toThrow('forbidden')
    const { results } = await control.changeMembers(theirs.jid, 'add', [CITRA])
    expect(results).toEqual([{ phone: CITRA, status: '200' }])
    await client.on('group-participants.update', ({ id }) => (id === theirs.jid ? true : undefined))
    await client.socket.groupLeave(theirs.jid)
    await expect(client.socket.groupMetadata(theirs.jid)).rejects.toThrow('forbidden')
  })
})
