import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSimulator, type Simulator } from './index.ts'
import { closed, createTestClient, opened, textArrived, type TestClient } from './test-client.ts'
import { createSimulatorClient, type SimulatorClient } from './client.ts'

let simulator: Simulator
let control: SimulatorClient

beforeAll(async () => {
  simulator = await startSimulator()
  control = createSimulatorClient(simulator.controlUrl)
})
afterAll(async () => {
  await simulator.close()
})

async function linkByQr(client: TestClient, phone?: string): Promise<string> {
  client.connect()
  const qr = await client.on('connection.update', update => update.qr)
  const linked = await control.scan(qr, phone)
  expect(await closed(client)).toBe(515)
  client.connect()
  await opened(client)
  return linked.phone
}

describe('linking', () => {
  it('links by QR, opens, and opens again without a QR', async () => {
    const client = createTestClient(simulator.waUrl)
    const phone = await linkByQr(client)
    expect(client.creds.me?.id).toBe(`${phone}:1@s.whatsapp.net`)
    await client.on('connection.update', update => update.receivedPendingNotifications)
    await client.end()
    client.connect()
    await opened(client)
    await client.end()
  })

  it('links by code', async () => {
    const client = createTestClient(simulator.waUrl)
    client.connect()
    await client.on('connection.update', update => update.qr)
    const code = await client.socket.requestPairingCode('6281234500001')
    const linked = await control.pairCode('6281234500001', code)
    expect(linked.device).toBe(1)
    expect(await closed(client)).toBe(515)
    client.connect()
    await opened(client)
    await client.end()
  })
})

describe('texts', () => {
  it('go out, are decrypted by the contact and acked; come in by LID', async () => {
    const client = createTestClient(simulator.waUrl)
    const phone = await linkByQr(client)
    const sent = await client.socket.sendMessage('628999000001@s.whatsapp.net', { text: 'hello' })
    const [seen] = await control.waitForReceived(1, { phone, chat: '628999000001' })
    expect(seen).toMatchObject({ id: sent?.key.id, text: 'hello', duplicate: false })
    expect(seen?.opened.map(({ role, ok }) => ({ role, ok }))).toEqual(
      expect.arrayContaining([
        { role: 'contact', ok: true },
        { role: 'own-phone', ok: true },
      ]),
    )
    await control.sendText('628999000001', phone, 'hello back')
    const back = await textArrived(client, 'hello back')
    expect(back.message.key.remoteJidAlt).toBe('628999000001@s.whatsapp.net')
    await client.socket.sendMessage('628999000001@s.whatsapp.net', { text: 'again' })
    const all = await control.waitForReceived(2, { phone, chat: '628999000001' })
    expect(all[1]?.opened.find(({ role }) => role === 'contact')).toMatchObject({ type: 'msg', ok: true })
    await client.end()
  })
})
