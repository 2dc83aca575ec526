import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { acceptConnection, type ConnectionEvents } from './connection.ts'
import type { Context, Limits } from './context.ts'
import { startControl } from './control/server.ts'
import { whose } from './delivery.ts'
import { createFaults } from './faults.ts'
import { createGroups } from './groups.ts'
import { createJournal } from './journal.ts'
import { login, refuse } from './login.ts'
import { startMedia } from './media.ts'
import { createNoiseIdentity } from './noise.ts'
import { register } from './pairing.ts'
import type { Received } from './received.ts'
import { createRing } from './ring.ts'
import { createSenderKeyStore } from './sender-key-store.ts'
import { createSentStore } from './sent.ts'
import { settingsSchema, type Settings } from './settings.ts'
import { frameLine, handleStanza } from './stanzas.ts'
import { createWorld } from './world.ts'

/** All optional: ports of 0 are free ones, everything listens on 127.0.0.1. */
export type SimulatorOptions = {
  readonly waPort?: number
  readonly controlPort?: number
  readonly mediaPort?: number
  readonly settings?: Partial<Settings>
  readonly limits?: Partial<Limits>
  /** First number that a scan without a number links. */
  readonly firstPhone?: number
}

export type Simulator = {
  /** For Baileys' `waWebSocketUrl`. */
  readonly waUrl: string
  /** For `createSimulatorClient`. */
  readonly controlUrl: string
  /** The media server, over TLS. */
  readonly mediaUrl: string
  /** Certificate to trust for media: `ca` of `fetchAgent` and `options.dispatcher`, or NODE_EXTRA_CA_CERTS. */
  readonly caPem: string
  /** For `WA_CERT_DETAILS.PUBLIC_KEY`, in hex. */
  readonly rootKeyHex: string
  /** Ends all connections and listeners. */
  close(): Promise<void>
}

const LIMITS: Limits = {
  log: 200_000,
  received: 50_000,
  sent: 20_000,
  pendingPerDevice: 20_000,
  accounts: 100_000,
  groups: 10_000,
  mediaBytes: 256 * 1024 * 1024,
}
const HOST = '127.0.0.1'
const MAX_FRAME = 32 * 1024 * 1024

/** Starts a WhatsApp server for unmodified Baileys clients, and its HTTP control side. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const limits = { ...LIMITS, ...options.limits }
  const context: Context = {
    settings: settingsSchema.parse(options.settings ?? {}),
    world: createWorld({ firstPhone: options.firstPhone ?? 628_110_000_001, maxAccounts: limits.accounts }),
    journal: createJournal(limits.log),
    received: createRing<Received>(limits.received),
    faults: createFaults(),
    noise: createNoiseIdentity(),
    connections: new Map(),
    registrations: new Map(),
    groups: createGroups(limits.groups),
    media: await startMedia(options.mediaPort ?? 0, limits.mediaBytes),
    senderKeys: createSenderKeyStore(limits.sent),
    sent: createSentStore(limits.sent),
    limits,
  }
  const whatsapp = createServer((_request, response) => response.writeHead(426).end())
  const sockets = new WebSocketServer({ server: whatsapp, maxPayload: MAX_FRAME, perMessageDeflate: false })
  let opened = 0
  sockets.on('connection', socket => {
    const number = ++opened
    const events = connectionEvents(context)
    acceptConnection(context, socket, number, events)
  })
  const waPort = await listen(whatsapp, options.waPort ?? 0)
  const control = await startControl(context, options.controlPort ?? 0)
  return {
    waUrl: `ws://${HOST}:${waPort}/ws/chat`,
    controlUrl: control.url,
    mediaUrl: context.media.url,
    caPem: context.media.caPem,
    rootKeyHex: context.noise.rootPublic.toString('hex'),
    async close() {
      for (const socket of sockets.clients) socket.terminate()
      await Promise.all([control.close(), context.media.close(), new Promise(resolve => whatsapp.close(resolve))])
    },
  }
}

function connectionEvents(context: Context): ConnectionEvents {
  return {
    opened(connection) {
      context.connections.set(connection.number, connection)
      context.journal.log('open', { connection: connection.number })
    },
    hello(connection, payload, key) {
      const revision = payload.userAgent?.appVersion?.tertiary ?? 0
      if (revision < context.settings.leastRevision) refuse(context, connection, payload, 405)
      else if (payload.username) login(context, connection, payload, key)
      else register(context, connection, payload, key)
    },
    stanza: (connection, stanza) => handleStanza(context, connection, stanza),
    late: (connection, stanza) => void context.journal.log('late', frameLine(connection, stanza)),
    closed(connection) {
      const { device, number } = connection
      context.connections.delete(number)
      context.registrations.delete(number)
      if (device?.connection === connection) device.connection = undefined
      context.journal.log('close', { connection: number, ...(device && whose(device)) })
    },
  }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, HOST, () => resolve((server.address() as AddressInfo).port))
  })
}
