import { randomBytes } from 'node:crypto'
import { Agent as HttpsAgent } from 'node:https'
import type { WASocket } from '@whiskeysockets/baileys'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { startRedis } from '../redis/start.ts'
import { createSimulatorClient, type SimulatorClient } from '../simulator/client.ts'
import type { Received } from '../simulator/received.ts'
import { startSimulator } from '../simulator/index.ts'
import { createTestClient, linkByQr, type TestClient } from './baileys-client.ts'
import { checkJob } from '../../shared/contract.ts'
import { UPDATE_NAMES, type UpdateEvent, type UpdateName, type WebhookEvent } from '../../shared/events.ts'
import { keys } from '../../shared/keys.ts'
import { jobResult, type JobResult } from '../../shared/receipt.ts'
import { createCipher } from '../../worker/credentials/cipher.ts'
import { createGuardedAgent } from '../../worker/net/guard.ts'
import type { SessionJobName } from '../../worker/handlers/handler.ts'
import { ALONE } from '../../worker/jobs/lane/turn.ts'
import type { Fence } from '../../worker/ownership/fence.ts'
import type { Job } from '../../worker/jobs/job.ts'
import type { Outbox } from '../../worker/outbox/outbox.ts'
import { createAttach } from '../../worker/whatsapp/attach.ts'
import { createSocketCaches } from '../../worker/baileys/socket/expiring-cache.ts'
import { guardWrites, type GatedSocket } from '../../worker/baileys/socket/writes.ts'
import { createDevices } from '../../worker/whatsapp/devices.ts'
import { cacheGroups, type Groups } from '../../worker/whatsapp/group-cache.ts'
import { rawSocketOf } from '../../worker/baileys/socket/raw-socket.ts'
import { lightenRetries } from '../../worker/baileys/socket/retry-memory.ts'
import { createAnswerRetries } from '../../worker/whatsapp/retries.ts'
import { findFfmpeg } from '../../worker/whatsapp/media/decoder/ffmpeg.ts'
import { createDecoder } from '../../worker/whatsapp/media/decoder/decoder.ts'
import { createMediaFolder } from '../../worker/whatsapp/media/folder.ts'
import { keepingPolls } from '../../worker/whatsapp/secrets/keep-polls.ts'
import { createSecretStore } from '../../worker/whatsapp/secrets/store.ts'
import { createSentStore } from '../../worker/whatsapp/sent-store.ts'
import { silenceConsole } from '../../worker/baileys/process/console.ts'
import { createHandlers } from '../../worker/handlers/index.ts'
import { createBudget } from '../../worker/outbox/budget.ts'

const UNLIMITED = createBudget({ session: Infinity, partition: Infinity })

/** A linked session on the simulator with real Redis, for tests of handlers and of what comes in. */
export interface TestSession extends AsyncDisposable {
  control: SimulatorClient
  client: TestClient
  phone: string
  events: WebhookEvent[]
  /** The updates that were asked for, in their order. */
  updates: UpdateEvent[]
  /** When all of its jobs were added, in ms. */
  createdAt: number
  /** Set it to hold the outbox's appends back. */
  gate: { append: Promise<void> | undefined }
  /** Checks the data against the contract and runs the job; jobs with the same id are runs of one job. */
  run(
    name: SessionJobName,
    data: Record<string, unknown>,
    options?: { id?: string; attempt?: number },
  ): Promise<JobResult>
  /** Runs a job to its end and gives what the simulated contact decrypted; throws when anybody could not decrypt. */
  arrives(name: SessionJobName, data: Record<string, unknown>, id?: string): Promise<Arrival>
  /** The simulator's, for more clients. */
  waUrl: string
  /** Opens a new socket for the session, as after a reconnect. */
  reconnect(): Promise<void>
  /** Cuts the socket and opens a new one with nothing but what is stored, as after a crash of the worker. */
  restart(): Promise<void>
}

/** A message that has arrived. */
export interface Arrival {
  result: JobResult
  seen: Received
  message: Record<string, Record<string, unknown>>
}

export interface TestSessionOptions {
  allowHosts?: ReadonlySet<string>
  maxBytes?: number
  ackTimeoutMs?: number
  /** Updates that are told. */
  told?: readonly (UpdateName | 'status' | 'channels')[]
  /** How long a message that cannot be decrypted is waited for. */
  unreadMs?: number
  onUnread?: (reason: string) => void
}

const CREATED_AT = Date.now()

export async function startTestSession(options: TestSessionOptions = {}): Promise<TestSession> {
  const { allowHosts = new Set(), maxBytes = 1_000_000, ackTimeoutMs = 5000, told = [], ...more } = options
  const log = pino({ enabled: false })
  silenceConsole(log)
  const simulator = await startSimulator()
  const server = await startRedis()
  const redis = new Redis(server.url)
  const lease = new AbortController()
  const fence: Fence = { partition: 0, epoch: 1, token: 'worker:1', valid: () => true, signal: lease.signal }
  await redis.set(keys.lease(0), fence.token)

  const core = { redis, log, clock: { now: Date.now, monotonic: () => performance.now() } }
  const sessionId = 'user-123'
  const cipher = createCipher([randomBytes(32).toString('base64')])
  const secrets = createSecretStore(core, cipher)
  const sent = keepingPolls(createSentStore(core, cipher), secrets)
  const events: WebhookEvent[] = []
  const updates: UpdateEvent[] = []
  const gate: TestSession['gate'] = { append: undefined }
  const outbox: Outbox = {
    append: async (_fence, event) => {
      await gate.append
      return isUpdate(event) ? updates.push(event) : events.push(event)
    },
    received: async () => [],
    deleteAfterDelivery: async () => {},
  }

  const control = createSimulatorClient(simulator.controlUrl)
  const caches = createSocketCaches(Date.now)
  const client = createTestClient(simulator.waUrl, {
    fetchAgent: new HttpsAgent({ ca: simulator.caPem }),
    getMessage: createAnswerRetries({
      fence,
      sessionId,
      sent,
      sock: () => client.socket,
      groups: async jid => knownGroups(jid),
      answers: caches.answers,
    }),
    userDevicesCache: caches.userDevices,
    cachedGroupMetadata: async jid => groups?.find(jid),
  })
  let groups: Groups | undefined
  const knownGroups = async (jid: string) => groups?.find(jid) ?? client.socket.groupMetadata(jid)
  const phone = await linkByQr(client, control)
  groups = cacheGroups(client.socket, Date.now)
  lightenRetries(client.socket)
  const attachOptions = { outbox, budget: UNLIMITED, secrets, ackTimeoutMs, told: () => new Set(told), ...more }
  let attach = createAttach(attachOptions)
  let socket = gated(client.socket, fence)
  let devices = createDevices(client.socket, caches.userDevices)
  const context = { sessionId, fence, core }
  let attached = (await attach.follow(context))(socket)
  const agent = createGuardedAgent({ allowHosts })
  const folders = createMediaFolder()
  const decoder = createDecoder({ ffmpeg: findFfmpeg(process.env['PATH']) })
  const handlers = createHandlers({ agent, maxBytes, folders, decoder, timeoutMs: 5000 })
  let made = 0

  const run: TestSession['run'] = async (name, data, { id = `job-${++made}`, attempt = 1 } = {}) => {
    const check = checkJob(name, { sessionId, ...data })
    if (!check.ok) throw new Error(JSON.stringify(check.errors))
    const job = { ...check.job, id, queue: 'whatsapp-jobs', createdAt: CREATED_AT, attempt }
    const sending = {
      ...context,
      ...socket,
      acks: attached.acks,
      sent,
      devices,
      groups: { find: knownGroups, changed: (jid: string) => groups?.changed(jid) },
      turn: ALONE,
    }
    const socketGone = new AbortController()
    client.socket.ws.on('close', () => socketGone.abort())
    const handler = handlers[name] as (c: typeof sending, j: Job, s: AbortSignal) => Promise<JobResult>
    return handler(sending, job, socketGone.signal)
  }

  async function open(): Promise<void> {
    const follow = await attach.follow(context)
    const sock = client.connect()
    groups = cacheGroups(sock, Date.now)
    lightenRetries(sock)
    socket = gated(sock, fence)
    devices = createDevices(sock, caches.userDevices)
    attached = follow(socket)
    await client.on('connection.update', ({ connection }) => connection === 'open' || undefined)
  }

  return {
    control,
    client,
    phone,
    events,
    updates,
    createdAt: CREATED_AT,
    gate,
    run,
    async arrives(name, data, id) {
      const result = jobResult.parse(await run(name, data, id === undefined ? {} : { id }))
      const [seen] = await control.waitForReceived(1, { id: result.key?.id ?? '' })
      if (seen === undefined || seen.opened.length === 0) throw new Error('nobody got the message')
      if (seen.opened.some(({ ok }) => !ok))
        throw new Error(`somebody could not decrypt: ${JSON.stringify(seen.opened)}`)
      return { result, seen, message: seen.message as Arrival['message'] }
    },
    waUrl: simulator.waUrl,
    async reconnect() {
      attached.detach()
      await client.end()
      await attached.drained()
      await open()
    },
    async restart() {
      await control.disconnect(phone, { how: 'cut' })
      await client.on('connection.update', ({ connection }) => connection === 'close' || undefined)
      attach.forget(sessionId)
      attach = createAttach(attachOptions)
      await caches.userDevices.flushAll()
      await open()
    },
    async [Symbol.asyncDispose]() {
      attached.detach()
      await client.end()
      lease.abort()
      await agent.destroy()
      decoder.close()
      folders.close()
      await simulator.close()
      redis.disconnect()
      await server.close()
    },
  }
}

/** The gate that the worker puts before each socket. The client's keys are in memory. */
function gated(sock: WASocket, fence: Fence): GatedSocket {
  return { sock, gate: guardWrites(rawSocketOf(sock), fence), holdKeys: () => () => undefined }
}

function isUpdate(event: WebhookEvent | UpdateEvent): event is UpdateEvent {
  return (UPDATE_NAMES as readonly string[]).includes(event.event)
}
