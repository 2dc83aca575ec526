import { WA_CERT_DETAILS } from '@whiskeysockets/baileys'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSimulatorClient, type SimulatorClient } from './client.ts'
import { startSimulator, type Simulator } from './index.ts'
import { closed, createTestClient, linkByQr, opened } from '../testing/baileys-client.ts'

let simulator: Simulator
let control: SimulatorClient

beforeAll(async () => {
  simulator = await startSimulator()
  control = createSimulatorClient(simulator.controlUrl)
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(simulator.rootKeyHex, 'hex')
})
afterAll(async () => {
  await simulator.close()
})

describe('linking', () => {
  it('links by QR, opens, and opens again without a QR', async () => {
    const client = createTestClient(simulator.waUrl)
    const phone = await linkByQr(client, control)
    expect(client.creds.me?.id).toBe(`${phone}:1@s.whatsapp.net`)
    // Held back for 20 s when the phone's first sync does not come.
    await client.on('messaging-history.set', history => history)
    await client.end()
    client.connect()
    await opened(client)
    await client.end()
    const logins = await control.log({ kind: 'login', phone })
    expect(logins).toHaveLength(2)
  })

  it('links by code, and refuses a wrong one', async () => {
    const client = createTestClient(simulator.waUrl)
    client.connect()
    await client.on('connection.update', update => update.qr)
    await client.socket.requestPairingCode('6281234500001', 'KURIR123')
    await expect(control.pairCode('6281234500001', 'WRONG123')).rejects.toThrow('code_wrong')
    await client.end()

    const other = createTestClient(simulator.waUrl)
    other.connect()
    await other.on('connection.update', update => update.qr)
    const code = await other.socket.requestPairingCode('6281234500002')
    await expect(control.pairCode('6281234500002', code)).resolves.toMatchObject({ device: 1 })
    expect(await closed(other)).toBe(515)
    other.connect()
    await opened(other)
    await other.end()
  })

  it('numbers the devices of an account, and refuses a QR that no client shows', async () => {
    const [first, second] = [createTestClient(simulator.waUrl), createTestClient(simulator.waUrl)]
    await linkByQr(first, control, '6281234500003')
    await linkByQr(second, control, '6281234500003')
    expect(second.creds.me?.id).toBe('6281234500003:2@s.whatsapp.net')
    await expect(control.scan('https://wa.me/settings/linked_devices#2@no,a,b,c,1')).rejects.toThrow('qr_unknown')
    await Promise.all([first.end(), second.end()])
  })

  it('logs out from the client and from the phone', async () => {
    const client = createTestClient(simulator.waUrl)
    const phone = await linkByQr(client, control)
    await client.socket.logout()
    await control.waitForLog(1, { kind: 'logout', phone })
    client.connect()
    expect(await closed(client)).toBe(401)

    const other = createTestClient(simulator.waUrl)
    const otherPhone = await linkByQr(other, control)
    await control.logout(otherPhone)
    expect(await closed(other)).toBe(401)
  })

  it('lets a second login replace the first', async () => {
    const client = createTestClient(simulator.waUrl)
    const phone = await linkByQr(client, control)
    const first = client.socket
    const code = new Promise<number>(resolve => {
      first.ev.on('connection.update', ({ lastDisconnect }) => {
        const error = lastDisconnect?.error as { output?: { statusCode?: number } } | undefined
        if (lastDisconnect) resolve(error?.output?.statusCode ?? 0)
      })
    })
    client.connect()
    await opened(client)
    expect(await code).toBe(440)
    const lines = await control.log({ phone, kind: 'login,close' })
    expect(lines.map(({ kind }) => kind)).toEqual(['login', 'login', 'close'])
    await client.end()
  })
})
