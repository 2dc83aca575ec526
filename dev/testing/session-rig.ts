import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { startRedis } from '../redis/start.ts'
import { createSimulatorClient, type ConnectionView, type SimulatorClient } from '../simulator/client.ts'
import { startSimulator } from '../simulator/index.ts'
import { until } from '../stack/until.ts'
import { late } from './late.ts'
import type { JobResult } from '../../shared/receipt.ts'
import type { SessionView } from '../../shared/session.ts'
import type { SessionsDeps } from '../../worker/sessions/sessions.ts'
import { newKey, own, updatesOf, viewOf, type TestOwner, type TestWorld } from './owner.ts'

/** A Redis, a WhatsApp, and the owners of one session in a test; the session is another in each. */
export interface Rig {
  redis: Redis
  whatsapp: SimulatorClient
  world: TestWorld
  sessionId: string
  owner(changes?: Partial<SessionsDeps>): Promise<TestOwner>
  /** Starts the session and links it; resolves with its number when it is open. */
  link(self: TestOwner): Promise<string>
  send(self: TestOwner, to: string, text: string): Promise<JobResult>
  isReady(self: TestOwner): Promise<unknown>
  /** Resolves with the session's view as soon as it is in that state. */
  inState(state: SessionView['state']): Promise<SessionView>
  /** What the user is to scan or to type. */
  shown(field: 'qr' | 'pairingCode'): Promise<string>
  view(): Promise<SessionView | undefined>
  updates(): ReturnType<typeof updatesOf>
  /** The open sockets of a number. */
  connections(phone: string): Promise<ConnectionView[]>
}

/** Keeps one for the tests of a file: it is there from the first on. */
export function sessionRig(): Rig {
  const rig = late<Rig>()
  let parts: Parts
  beforeAll(async () => {
    parts = await start(rig)
  })
  afterAll(async () => parts.close())
  beforeEach(async () => parts.reset())
  afterEach(async () => parts.closeOwners())
  return rig
}

/** What its hooks need. */
interface Parts {
  reset(): Promise<void>
  closeOwners(): Promise<void>
  close(): Promise<void>
}

async function start(rig: Rig & { provide(parts: Rig): void }): Promise<Parts> {
  const server = await startRedis()
  const redis = new Redis(server.url, { maxRetriesPerRequest: null })
  const simulator = await startSimulator()
  const whatsapp = createSimulatorClient(simulator.controlUrl)
  const socket = { url: simulator.waUrl, noiseRootKey: Buffer.from(simulator.rootKeyHex, 'hex') }
  let owners: TestOwner[] = []
  let resets = 0

  rig.provide({
    redis,
    whatsapp,
    world: { redis, socket, credentialsKey: newKey() },
    sessionId: '',

    async owner(changes) {
      const made = await own(rig.world, changes)
      owners.push(made)
      return made
    },
    async link(self) {
      await self.run('START_SESSION', { sessionId: rig.sessionId })
      const { phone } = await whatsapp.scan(await rig.shown('qr'))
      await rig.inState('open')
      return phone
    },
    async send(self, to, text) {
      const { sessionId } = rig
      return self.run('SEND_TEXT', { sessionId, to: `${to}@s.whatsapp.net`, text })
    },
    isReady: async self => until('readiness', () => self.sessions.ready(rig.sessionId)),
    inState: async state =>
      until(`the session to be ${state}`, async () => {
        const view = await rig.view()
        return view?.state === state && view
      }),
    shown: async field => until(`a ${field}`, async () => (await rig.view())?.[field]),
    view: async () => viewOf(redis, rig.sessionId),
    updates: async () => updatesOf(redis, rig.sessionId),
    async connections(phone) {
      return (await whatsapp.connections()).connections.filter(connection => connection.phone === phone)
    },
  })

  return {
    async reset() {
      await redis.flushall()
      await whatsapp.clearFaults()
      rig.world = { redis, socket, credentialsKey: newKey() }
      rig.sessionId = `user-${++resets}`
    },
    async closeOwners() {
      const ending = owners
      owners = []
      await Promise.all(ending.map(async ({ sessions }) => sessions.close()))
    },
    async close() {
      await simulator.close()
      redis.disconnect()
      await server.close()
    },
  }
}
