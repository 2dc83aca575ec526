import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createSimulatorClient, type SimulatorClient } from './client.ts'
import { startSimulator, type Simulator } from './index.ts'
import { guardWrites } from '../../worker/baileys/socket/writes.ts'
import { rawSocketOf } from '../../worker/baileys/socket/raw-socket.ts'
import {
  closed,
  createTestClient,
  linkByQr,
  MessageStatus,
  opened,
  type TestClient,
} from '../testing/baileys-client.ts'

const BUDI = '628999000031@s.whatsapp.net'

let simulator: Simulator
let control: SimulatorClient
let client: TestClient
let phone: string

beforeAll(async () => {
  simulator = await startSimulator()
  control = createSimulatorClient(simulator.controlUrl)
  client = createTestClient(simulator.waUrl)
  phone = await linkByQr(client, control)
  await client.socket.sendMessage(BUDI, { text: 'warm' })
})
afterEach(() => control.clearFaults())
afterAll(async () => {
  await client.end()
  await simulator.close()
})

async function reopen(): Promise<void> {
  client.connect()
  await opened(client)
}

describe('acks', () => {
  it('are dropped', async () => {
    await control.fault({ kind: 'drop-ack', phone, count: 1 })
    const sent = await client.socket.sendMessage(BUDI, { text: 'no ack' })
    const id = sent?.key.id ?? ''
    await control.waitForReceived(1, { id })
    await client.socket.sendMessage(BUDI, { text: 'acked' })
    const acks = await control.waitForLog(2, { kind: 'ack', phone })
    expect(acks.some(ack => ack.id === id)).toBe(false)
  })

  it('carry an error, and nobody gets the message', async () => {
    await control.fault({ kind: 'error-ack', code: 463, phone, count: 1 })
    const sent = await client.socket.sendMessage(BUDI, { text: 'refused' })
    await Promise.race([
      client.on('messages.update', updates =>
        updates.find(({ key, update }) => key.id === sent?.key.id && update.status === MessageStatus.ERROR),
      ),
      client.on('messages.upsert', ({ messages }) =>
        messages.find(({ key, status }) => key.id === sent?.key.id && status === MessageStatus.ERROR),
      ),
    ])
    const [seen] = await control.received({ id: sent?.key.id ?? '' })
    expect(seen).toMatchObject({ refused: '463', opened: [] })
  })

  it('come late', async () => {
    await control.fault({ kind: 'delay-ack', ms: 300, phone, count: 1 })
    const since = (await control.log({ kind: 'ack' })).at(-1)?.index ?? 0
    const sent = await client.socket.sendMessage(BUDI, { text: 'late' })
    const [seen] = await control.waitForReceived(1, { id: sent?.key.id ?? '' })
    const acks = await control.waitForLog(1, { kind: 'ack', phone, since })
    expect((acks[0]?.mono ?? 0) - (seen?.mono ?? 0)).toBeGreaterThanOrEqual(299)
  })
})

describe('sockets', () => {
  it.each(['before', 'after'] as const)('are cut %s a message is recorded', async when => {
    await control.fault({ kind: 'cut', when, phone, count: 1 })
    const sent = await client.socket.sendMessage(BUDI, { text: `cut ${when}` })
    expect(await closed(client)).toBe(428)
    const seen = await control.received({ id: sent?.key.id ?? '' })
    expect(seen).toHaveLength(when === 'before' ? 0 : 1)
    await reopen()
  })

  it('are cut before what came in the same piece', async () => {
    const gate = guardWrites(rawSocketOf(client.socket), { valid: () => true })
    await client.socket.sendMessage(BUDI, { text: 'warm again' })
    await control.fault({ kind: 'cut', when: 'before', phone, count: 1 })
    const release = gate.hold()
    const sent = [
      await client.socket.sendMessage(BUDI, { text: 'struck' }),
      await client.socket.sendMessage(BUDI, { text: 'behind it' }),
    ]
    release()
    expect(await closed(client)).toBe(428)
    await reopen()
    for (const message of sent) expect(await control.received({ id: message?.key.id ?? '' })).toEqual([])
  })

  it.each([
    [515, 515],
    [440, 440],
    [503, 503],
    [500, 500],
    [428, 428],
  ])('end with %i', async (code, expected) => {
    await control.disconnect(phone, { code })
    expect(await closed(client)).toBe(expected)
    await reopen()
  })

  it('are refused for the next logins', async () => {
    await control.fault({ kind: 'refuse-login', code: 503, phone, count: 2 })
    await client.end()
    for (let at = 0; at < 2; at++) {
      client.connect()
      expect(await closed(client)).toBe(503)
    }
    await reopen()
    expect(await control.log({ kind: 'refused', phone })).toHaveLength(2)
  })
})

describe('the control side', () => {
  it('says what is wrong with a call', async () => {
    await expect(control.sendText('1', phone, 'x')).rejects.toThrow('input_invalid')
    await expect(control.sendText('628999000031', '628000000000', 'x')).rejects.toThrow('phone_not_linked')
    await expect(control.call('GET', '/nothing')).rejects.toThrow('route_unknown')
    const page = await fetch(`${simulator.controlUrl}/accounts`, { headers: { origin: 'https://example.org' } })
    expect(page.status).toBe(403)
  })

  it('forgets everything on a reset', async () => {
    const other = createTestClient(simulator.waUrl)
    await linkByQr(other, control, '6281234599999')
    await control.reset({ all: true })
    expect(await closed(other)).toBe(428)
    expect((await control.accounts()).accounts).toEqual([])
    other.connect()
    expect(await closed(other)).toBe(401)
  })
})
