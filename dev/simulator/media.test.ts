import { createHash, randomBytes } from 'node:crypto'
import { Agent as HttpsAgent } from 'node:https'
import { downloadMediaMessage } from '@whiskeysockets/baileys'
import { Agent, Dispatcher1Wrapper, fetch } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createSimulatorClient, type SimulatorClient } from './client.ts'
import { startSimulator, type Simulator } from './index.ts'
import { createTestClient, linkByQr, type TestClient } from '../testing/baileys-client.ts'

let simulator: Simulator
let control: SimulatorClient
let client: TestClient
let phone: string
let dispatcher: Agent

beforeAll(async () => {
  simulator = await startSimulator()
  control = createSimulatorClient(simulator.controlUrl)
  const fetchAgent = new HttpsAgent({ ca: simulator.caPem })
  dispatcher = new Agent({ connect: { ca: simulator.caPem } })
  client = createTestClient(simulator.waUrl, { fetchAgent })
  phone = await linkByQr(client, control)
})
afterAll(async () => {
  await client.end()
  await dispatcher.close()
  await simulator.close()
})

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

it('takes media of the client and decrypts them', async () => {
  const document = randomBytes(200_000)
  const file = { document, mimetype: 'application/pdf', fileName: 'invoice.pdf' }
  await client.socket.sendMessage('628999000021@s.whatsapp.net', file)
  const [seen] = await control.waitForReceived(1, { phone })
  expect(seen).toMatchObject({
    type: 'media',
    media: { kind: 'document', mimetype: 'application/pdf', sha256: sha256(document), bytes: 200_000 },
    message: { documentMessage: { fileName: 'invoice.pdf' } },
  })
})

it('sends media of contacts', async () => {
  const data = randomBytes(50_000)
  await control.sendMedia('628999000021', phone, { kind: 'video', data, mimetype: 'video/mp4', caption: 'look' })
  const found = await client.on('messages.upsert', ({ messages }) =>
    messages.find(({ message }) => message?.videoMessage?.caption === 'look'),
  )
  const { url } = found.message?.videoMessage ?? {}
  expect(url).toMatch(/^https:\/\/127\.0\.0\.1:/)
  // Node's own fetch speaks to the dispatchers of undici 7; undici 8 wraps its own for it.
  const options = { options: { dispatcher: new Dispatcher1Wrapper(dispatcher) } } as object
  const bytes = await downloadMediaMessage(found, 'buffer', options)
  expect(sha256(bytes)).toBe(sha256(data))
})

it('answers 404 for what it does not keep', async () => {
  const answer = await fetch(`${simulator.mediaUrl}/mms/file/none`, { dispatcher })
  expect(answer.status).toBe(404)
})
