import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import pino from 'pino'
import { keys } from '../../shared/keys.ts'
import { queueOf } from '../../shared/partition.ts'
import type { JobResult } from '../../shared/receipt.ts'
import { connectRedis } from '../../worker/redis/connection.ts'
import { ALONE } from '../../worker/jobs/lane/turn.ts'
import { JobFailure, type Job } from '../../worker/jobs/job.ts'
import type { Fence } from '../../worker/ownership/fence.ts'
import type { Sessions } from '../../worker/sessions/sessions.ts'
import { openJobs, type JobsDeps } from '../../worker/jobs/open.ts'
import { clientNameOf } from '../../worker/jobs/bullmq/worker-name.ts'

/** Sessions without WhatsApp, for tests of what lies before them. */
export interface FakeSessions extends Sessions {
  /** Every job that was started, in order. */
  started: Job[]
  /** Every job that ended well, in order. */
  ran: Job[]
  /** Most jobs of one session that ran at once. */
  most: number
  down(sessionId: string): void
  up(sessionId: string): void
  /** What a job does; default: nothing. */
  work: (job: Job, signal: AbortSignal) => Promise<JobResult | void>
}

/** See {@link FakeSessions}. */
export function fakeSessions(): FakeSessions {
  const offline = new Set<string>()
  const listeners: ((sessionId: string) => void)[] = []
  const running = new Map<string, number>()
  const fake: FakeSessions = {
    started: [],
    ran: [],
    most: 0,
    work: async () => {},
    down(sessionId) {
      offline.add(sessionId)
      listeners.forEach(listener => listener(sessionId))
    },
    up(sessionId) {
      offline.delete(sessionId)
      listeners.forEach(listener => listener(sessionId))
    },
    restore: async () => {},
    ready: sessionId => !offline.has(sessionId),
    onChange: listener => void listeners.push(listener),
    async run(job, signal, turn = ALONE) {
      const { sessionId } = job.data
      await turn.come()
      fake.started.push(job)
      const now = (running.get(sessionId) ?? 0) + 1
      running.set(sessionId, now)
      fake.most = Math.max(fake.most, now)
      try {
        const result = await fake.work(job, signal)
        fake.ran.push(job)
        return result ?? {}
      } finally {
        running.set(sessionId, (running.get(sessionId) ?? 1) - 1)
      }
    },
    close: async () => {},
  }
  return fake
}

/** A job's work that lasts until its session closes. */
export async function untilClosed(_job: Job, signal: AbortSignal): Promise<void> {
  await sleep(60_000, undefined, { signal }).catch(() => {
    throw new JobFailure('INTERNAL', 'closed', 'wait')
  })
}

/** One Redis with queues, and owners of partitions that can be made to die. */
export interface Bench {
  redis: Redis
  queue(partition?: number): Queue
  /** Owns a partition with a new epoch, as a takeover does: the owner before it is fenced out. */
  own(sessions: Sessions, options?: OwnOptions): Promise<BenchOwner>
  close(): Promise<void>
}

/** How an owner differs from the default; `operate` completes every operation with nothing. */
export type OwnOptions = { partition?: number; partitions?: number } & Partial<Pick<JobsDeps, 'operate' | 'outcomes'>>

/** See {@link Bench}. */
export interface BenchOwner {
  fence: Fence
  jobs: ReturnType<typeof openJobs>
  /** As kill -9 does: from now on nothing reaches Redis. */
  kill(): void
  /** As a process that is stopped: it does nothing more, and its connections stay. */
  freeze(): void
  drain(graceMs?: number): Promise<void>
}

/** See {@link Bench}. */
export function createBench(server: { url: string }): Bench {
  const log = pino({ level: process.env['TEST_LOG'] ?? 'silent' })
  const redis = new Redis(server.url, { protocol: 2, maxRetriesPerRequest: null })
  const closers: (() => unknown)[] = []
  const queues = new Map<number, Queue>()
  const clock = { now: Date.now, monotonic: () => performance.now() }
  return {
    redis,
    queue(partition = 0) {
      const known = queues.get(partition)
      if (known) return known
      const queue = new Queue(queueOf(partition), { connection: { url: server.url } })
      queues.set(partition, queue)
      return queue
    },
    async own(sessions, { partition = 0, partitions = 1, operate = async () => ({}), outcomes } = {}) {
      const epoch = await redis.incr(keys.epoch(partition))
      const lost = new AbortController()
      const token = `tester:${epoch}`
      await redis.set(keys.lease(partition), token)
      const fence: Fence = { partition, epoch, token, signal: lost.signal, valid: () => !lost.signal.aborted }
      const name = clientNameOf(queueOf(partition), fence)
      const connections = (['wait', 'fail', 'block'] as const).map(patience =>
        connectRedis(server.url, patience, log, patience === 'block' ? name : 'tester'),
      )
      const [general, taking, blocking] = connections as [Redis, Redis, Redis]
      const core = { redis: general, log, clock }
      const jobs = openJobs({ core, fence, partitions, sessions, taking, blocking, operate, outcomes })
      void jobs.run()
      const kill = () => {
        connections.forEach(connection => connection.disconnect())
        lost.abort()
      }
      closers.push(kill)
      return {
        fence,
        jobs,
        kill,
        freeze: () => connections.forEach(connection => connection.removeAllListeners('end').stream?.pause()),
        async drain(graceMs = 500) {
          await jobs.drain(graceMs)
          kill()
        },
      }
    },
    async close() {
      closers.forEach(close => close())
      await Promise.all([...queues.values()].map(async queue => queue.close()))
      redis.disconnect()
    },
  }
}

/** A valid text job's data. */
export function text(sessionId: string, body: string) {
  return { sessionId, to: '6281234567890@s.whatsapp.net', text: body }
}

/** The texts of jobs. */
export function texts(jobs: readonly Job[]): string[] {
  return jobs.map(job => (job.name === 'SEND_TEXT' ? job.data.text : job.name))
}
