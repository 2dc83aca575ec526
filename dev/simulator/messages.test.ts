import type { proto } from '@whiskeysockets/baileys'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSimulatorClient, type SimulatorClient } from './client.ts'
import { startSimulator, type Simulator } from './index.ts'
import {
  createTestClient,
  linkByQr,
  MessageStatus,
  opened,
  textArrived,
  type TestClient,
} from '../testing/baileys-client.ts'

const BUDI = '628999000001'
const BUDI_JID = `${BUDI}@s.whatsapp.net`

let simulator: Simulator
let control: SimulatorClient
let client: TestClient
let phone: string

beforeAll(async () => {
  simulator = await startSimulator()
  control = createSimulatorClient(simulator.controlUrl)
  client = createTestClient(simulator.waUrl)
  phone = await linkByQr(client, control)
})
afterAll(async () => {
  await client.end()
  await simulator.close()
})

type Status = proto.WebMessageInfo.Status

function reached(seen: Status | null | undefined, wanted: Status): boolean {
  return seen !== undefined && seen !== null && seen >= wanted
}

/** Highest status seen for a message, in whichever event it came. */
function statusOf(id: string, status: Status): Promise<true> {
  return Promise.race([
    client.on('messages.update', updates =>
      updates.some(({ key, update }) => key.id === id && reached(update.status, status)) ? true : undefined,
    ),
    client.on('messages.upsert', ({ messages }) =>
      messages.some(({ key, status: seen }) => key.id === id && reached(seen, status)) ? true : undefined,
    ),
  ])
}

describe('texts', () => {
  it('go out, are decrypted by the contact and the own phone, and are delivered', async () => {
    const sent = await client.socket.sendMessage(BUDI_JID, { text: 'hello' })
    const [seen] = await control.waitForReceived(1, { phone, chat: BUDI })
    expect(seen).toMatchObject({ id: sent?.key.id, text: 'hello', duplicate: false, chatPhone: BUDI })
    const roles = seen?.opened.map(({ role, ok }) => `${role} ${ok}`)
    expect(roles?.sort()).toEqual(['contact true', 'own-phone true'])
    await statusOf(sent?.key.id ?? '', MessageStatus.DELIVERY_ACK)
  })

  it('come in by LID and by number, and open the way for msg', async () => {
    await control.sendText(BUDI, phone, 'hello back')
    const back = await textArrived(client, 'hello back')
    expect(back).toMatchObject({ type: 'notify', message: { key: { remoteJidAlt: BUDI_JID, addressingMode: 'lid' } } })
    await control.sendText(BUDI, phone, 'by number', { addressing: 'pn' })
    expect((await textArrived(client, 'by number')).message.key.remoteJid).toBe(BUDI_JID)

    await client.socket.sendMessage(BUDI_JID, { text: 'again' })
    const [, again] = await control.waitForReceived(2, { phone, chat: BUDI })
    expect(again?.opened.find(({ role }) => role === 'contact')).toMatchObject({ type: 'msg', ok: true })
  })

  it('never use a counter of a chain twice', async () => {
    for (let at = 0; at < 20; at++) await client.socket.sendMessage(BUDI_JID, { text: `count ${at}` })
    const all = await control.waitForReceived(22, { phone, chat: BUDI })
    const used = all.flatMap(({ opened: parts }) => parts.map(part => `${part.phone} ${part.chain} ${part.counter}`))
    expect(new Set(used).size).toBe(used.length)
  })

  it('show when a client was rolled back and used a counter again', async () => {
    const rolled = createTestClient(simulator.waUrl, { getMessage: async () => ({ conversation: 'second' }) })
    const own = await linkByQr(rolled, control)
    await rolled.socket.sendMessage(BUDI_JID, { text: 'warm' })
    const sessions = [...rolled.store].filter(([name]) => name.startsWith('session|'))
    await rolled.socket.sendMessage(BUDI_JID, { text: 'first' })
    for (const [name, session] of sessions) rolled.store.set(name, session)
    await rolled.socket.sendMessage(BUDI_JID, { text: 'second' })

    const seen = await control.waitForReceived(4, { phone: own })
    const toContact = seen.map(({ opened: parts }) => parts.find(({ role }) => role === 'contact'))
    const [first, second] = [toContact[1], toContact[2]]
    expect(second).toMatchObject({ ok: false, chain: first?.chain, counter: first?.counter })
    expect(second?.ciphertext).not.toBe(first?.ciphertext)
    expect(seen[3]).toMatchObject({ text: 'second', duplicate: true, id: seen[2]?.id })
    await rolled.end()
  })

  it('wait for a client that is away, and come as offline messages', async () => {
    await client.end()
    await control.sendText(BUDI, phone, 'while you were away 1')
    await control.sendText(BUDI, phone, 'while you were away 2')
    client.connect()
    await opened(client)
    const late = await textArrived(client, 'while you were away 2')
    expect(late.type).toBe('append')
    const texts = client.messages.map(({ message }) => message.message?.conversation)
    expect(texts.filter(text => text?.startsWith('while'))).toEqual(['while you were away 1', 'while you were away 2'])
  })

  it('are asked for again by a contact that cannot decrypt', async () => {
    await control.fault({ kind: 'fail-decrypt', count: 1 })
    const sent = await client.socket.sendMessage(BUDI_JID, { text: 'unreadable' })
    const id = sent?.key.id ?? ''
    const [first, second] = await control.waitForReceived(2, { phone, id })
    expect(first?.opened.find(({ role }) => role === 'contact')).toMatchObject({ ok: false })
    expect(second).toMatchObject({ duplicate: true, text: 'unreadable' })
    expect(second?.opened.find(({ role }) => role === 'contact')).toMatchObject({ ok: true })
  })

  it('are encrypted again for a client that lost its session', async () => {
    await control.sendText(BUDI, phone, 'before loss')
    const { message } = await textArrived(client, 'before loss')
    await client.socket.signalRepository.deleteSession([message.key.remoteJid ?? ''])
    await control.sendText(BUDI, phone, 'after loss')
    expect((await textArrived(client, 'after loss')).message.key.remoteJidAlt).toBe(BUDI_JID)
    const retries = await control.log({ kind: 'problem', phone })
    expect(retries.filter(({ detail }) => detail?.startsWith('client asked')).length).toBe(1)
  })

  it('are read under the session before, too, which the client may have written under meanwhile', async () => {
    const writer = createTestClient(simulator.waUrl)
    const own = await linkByQr(writer, control)
    await writer.socket.sendMessage(BUDI_JID, { text: 'first' })
    const sessions = [...writer.store].filter(([name]) => name.startsWith('session|'))
    for (const [name] of sessions) writer.store.delete(name)
    await control.sendText(BUDI, own, 'under the session that was lost')
    await textArrived(writer, 'under the session that was lost')
    for (const [name, session] of sessions) writer.store.set(name, session)
    await writer.socket.sendMessage(BUDI_JID, { text: 'second' })
    const [, second] = await control.waitForReceived(2, { phone: own })
    expect(second?.opened.map(({ role, ok }) => `${role} ${ok}`).sort()).toEqual(['contact true', 'own-phone true'])
    await writer.end()
  })

  it('are refused for numbers without WhatsApp', async () => {
    await control.numbers({ unregistered: ['628999000404'] })
    expect(await client.socket.onWhatsApp('628999000404', BUDI)).toEqual([{ jid: BUDI_JID, exists: true }])
    const sent = await client.socket.sendMessage('628999000404@s.whatsapp.net', { text: 'nobody' })
    const [seen] = await control.waitForReceived(1, { id: sent?.key.id ?? '' })
    expect(seen?.refused).toBe('404')
  })
})

describe('requests', () => {
  it('that nobody knows get an empty result and a line in the log', async () => {
    const answer = await client.socket.query({
      tag: 'iq',
      attrs: { to: '@s.whatsapp.net', type: 'get', xmlns: 'no:such' },
    })
    expect(answer.attrs.type).toBe('result')
    await expect(control.log({ kind: 'unknown', phone })).resolves.toMatchObject([{ detail: 'no:such get ' }])
  })

  it('of a usual client are all known', async () => {
    await Promise.all([
      client.socket.fetchPrivacySettings(true),
      client.socket.fetchBlocklist(),
      client.socket.sendPresenceUpdate('composing', BUDI_JID),
      client.socket.rotateSignedPreKey(),
      client.socket.getBusinessProfile(BUDI_JID),
      client.socket.fetchStatus(BUDI_JID),
      client.socket.chatModify({ mute: 8 }, BUDI_JID),
      expect(client.socket.profilePictureUrl(BUDI_JID)).rejects.toThrow('item-not-found'),
    ])
    expect(await control.log({ kind: 'unknown' })).toHaveLength(1)
  })
})

describe('two clients', () => {
  it('write to each other, and see receipts', async () => {
    const other = createTestClient(simulator.waUrl)
    const otherPhone = await linkByQr(other, control)
    const sent = await client.socket.sendMessage(`${otherPhone}@s.whatsapp.net`, { text: 'to a client' })
    const { message } = await textArrived(other, 'to a client')
    await statusOf(sent?.key.id ?? '', MessageStatus.DELIVERY_ACK)
    // Only the client reads: the receipt of its phone, which the simulator plays, says delivered.
    await other.socket.readMessages([message.key])
    await statusOf(sent?.key.id ?? '', MessageStatus.READ)
    await other.socket.sendMessage(`${phone}@s.whatsapp.net`, { text: 'from a client' })
    const answer = await textArrived(client, 'from a client')
    expect(answer.message.key.remoteJid).toBe(`${otherPhone}@s.whatsapp.net`)
    await other.end()
  })
})
