import { randomBytes } from 'node:crypto'
import { pino } from 'pino'
import { getGlobalDispatcher } from 'undici'
import type { Redis } from 'ioredis'
import type { JobData, JobName } from '../../shared/contract.ts'
import { webhookEvent, type WebhookEvent } from '../../shared/events.ts'
import { keys } from '../../shared/keys.ts'
import { readSessionView, type SessionView } from '../../shared/session.ts'
import { createCipher } from '../../worker/credentials/cipher.ts'
import { createHandlers } from '../../worker/handlers/index.ts'
import { createOutbox } from '../../worker/outbox/append.ts'
import { createForgetJobs } from '../../worker/jobs/bullmq/forget.ts'
import type { Clock } from '../../worker/core.ts'
import type { Fence } from '../../worker/ownership/fence.ts'
import type { Job } from '../../worker/jobs/job.ts'
import { createAttach } from '../../worker/whatsapp/attach.ts'
import { findFfmpeg } from '../../worker/whatsapp/media/decoder/ffmpeg.ts'
import { createDecoder } from '../../worker/whatsapp/media/decoder/decoder.ts'
import { createMediaFolder } from '../../worker/whatsapp/media/folder.ts'
import { keepingPolls } from '../../worker/whatsapp/secrets/keep-polls.ts'
import { createSecretStore } from '../../worker/whatsapp/secrets/store.ts'
import { createSentStore } from '../../worker/whatsapp/sent-store.ts'
import type { SocketSettings } from '../../worker/whatsapp/socket-config.ts'
import { createSockets } from '../../worker/whatsapp/socket.ts'
import type { Attach, Follow } from '../../worker/whatsapp/attach.ts'
import { createOpener, LINKING } from '../../worker/sessions/opener.ts'
import { createSessions, type PartitionSessions, type SessionsDeps } from '../../worker/sessions/sessions.ts'
import { createBudget } from '../../worker/outbox/budget.ts'

const budget = createBudget({ session: Infinity, partition: Infinity })

/** A log for tests. */
export const log = pino({ level: 'silent' })

const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() }

/** One worker's hold on a partition, in tests. */
export interface TestOwner {
  sessions: PartitionSessions
  fence: Fence
  attach: Attach
  /** The lease goes to nobody: every write is refused from now on, and the owner does not know. */
  loseLease(): Promise<void>
  /** The owner learns that the lease is lost. */
  abort(): void
  run<N extends JobName>(name: N, data: JobData<N>): ReturnType<PartitionSessions['run']>
}

/** What a test stands on. */
export interface TestWorld {
  redis: Redis
  socket: SocketSettings
  credentialsKey: string
}

let epochs = 0
let jobs = 0

/** A key for credentials. */
export const newKey = (): string => randomBytes(32).toString('base64')

/** Takes the lease of partition 0 and hosts its sessions with quick reconnects. */
export async function own(world: TestWorld, changes: Partial<SessionsDeps> = {}): Promise<TestOwner> {
  const { redis } = world
  const token = `worker:${++epochs}`
  const lost = new AbortController()
  const fence: Fence = { partition: 0, epoch: epochs, token, valid: () => true, signal: lost.signal }
  await redis.set(keys.lease(0), token)

  const core = { redis, log, clock }
  const outbox = createOutbox({ ...core, budget })
  const cipher = createCipher([world.credentialsKey])
  const secrets = createSecretStore(core, cipher)
  const attach = createAttach({ outbox, budget, secrets, told: () => new Set(['channels']) })
  const sessions = createSessions({
    opener: createOpener(),
    linking: createOpener(LINKING),
    core,
    fence,
    outbox,
    cipher,
    sockets: createSockets(world.socket, log),
    attach,
    handlers: createHandlers({
      agent: getGlobalDispatcher(),
      maxBytes: 1_000_000,
      folders: createMediaFolder(),
      decoder: createDecoder({ ffmpeg: findFfmpeg(process.env['PATH']) }),
    }),
    sent: keepingPolls(createSentStore(core, cipher), secrets),
    forgetJobs: createForgetJobs({ core, fence, partitions: 1 }),
    pace: { baseMs: 20, capMs: 100 },
    ...changes,
  })
  return {
    sessions,
    fence,
    attach,
    loseLease: async () => void (await redis.set(keys.lease(0), 'nobody:0')),
    abort: () => lost.abort(),
    run(name, data) {
      const job = { name, data, id: String(++jobs), queue: 'whatsapp-jobs', createdAt: Date.now(), attempt: 1 }
      return sessions.run(job as Job, new AbortController().signal)
    },
  }
}

/** The view as the edge sees it. */
export async function viewOf(redis: Redis, sessionId: string): Promise<SessionView | undefined> {
  return readSessionView(await redis.hgetall(keys.session(sessionId)))
}

/** The data of the session's `connection.update` events so far, oldest first. */
export async function updatesOf(redis: Redis, sessionId: string) {
  const events = await eventsOf(redis, sessionId)
  return events.flatMap(event => (event.event === 'connection.update' ? event.data : []))
}

/** The texts of the session's `messages.upsert` events so far, oldest first. */
export async function textsOf(redis: Redis, sessionId: string): Promise<unknown[]> {
  const events = await eventsOf(redis, sessionId)
  const messages = events.flatMap(event => (event.event === 'messages.upsert' ? event.data.messages : []))
  return messages.map(({ message }) => message?.['conversation'])
}

async function eventsOf(redis: Redis, sessionId: string): Promise<WebhookEvent[]> {
  const entries = await redis.xrange(keys.outbox(sessionId), '-', '+')
  return entries.map(([, fields]) => webhookEvent.parse(JSON.parse(fields[fields.indexOf('body') + 1] ?? '')))
}

/** The same, with `wrap` around what follows each socket. */
export function around(attach: Attach, wrap: (follow: Follow) => Follow): Attach {
  return { ...attach, follow: async session => wrap(await attach.follow(session)) }
}
