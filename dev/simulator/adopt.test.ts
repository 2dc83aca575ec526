import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../stack/until.ts'
import { createSimulatorClient } from './client.ts'
import { startSimulator, type Simulator } from './index.ts'
import { closed, createTestClient, linkByQr, opened, textArrived, type TestClient } from '../testing/baileys-client.ts'

const BUDI = '628999000051'
const running: Simulator[] = []
let client: TestClient | undefined

afterEach(async () => {
  await client?.end()
  await Promise.all(running.splice(0).map(simulator => simulator.close()))
})

async function start(options: Parameters<typeof startSimulator>[0]): Promise<Simulator> {
  const simulator = await startSimulator(options)
  running.push(simulator)
  return simulator
}

/** Links a client, has it write to a contact, and starts the simulator again in the same place. */
async function restart(adopt: boolean) {
  const first = await start({})
  client = createTestClient(first.waUrl, { getMessage: async () => ({ conversation: 'after' }) })
  const phone = await linkByQr(client, createSimulatorClient(first.controlUrl))
  await client.socket.sendMessage(`${BUDI}@s.whatsapp.net`, { text: 'before' })
  await client.end()
  await first.close()
  const second = await start({ waPort: Number(new URL(first.waUrl).port), settings: { adopt } })
  client.connect()
  return { client, phone, control: createSimulatorClient(second.controlUrl) }
}

describe('a simulator that was started again', () => {
  it('takes its clients back when it is to adopt them, and messages pass both ways', async () => {
    const { client, phone, control } = await restart(true)
    await opened(client)
    await client.socket.sendMessage(`${BUDI}@s.whatsapp.net`, { text: 'after' })
    await until('the text', async () => (await control.received()).some(({ text }) => text === 'after'))
    await control.sendText(BUDI, phone, 'hello again')
    expect((await textArrived(client, 'hello again')).message.pushName).toBeDefined()
  })

  it('does not take back who was logged out', async () => {
    const { client, phone, control } = await restart(true)
    await opened(client)
    await control.logout(phone)
    expect(await closed(client)).toBe(401)
    client.connect()
    expect(await closed(client)).toBe(401)
  })

  it('refuses them otherwise', async () => {
    const { client } = await restart(false)
    expect(await closed(client)).toBe(401)
  })
})
