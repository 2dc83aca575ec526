import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { ContractJob, JobName } from '../shared/contract.ts'
import type { JobCode } from '../shared/errors.ts'
import type { WebhookEvent } from '../shared/events.ts'
import type { JobResult } from '../shared/receipt.ts'
import type { SessionView } from '../shared/session.ts'

/** Injectable time. `now` is wall-clock ms; `monotonic` never jumps (leases are judged by it). */
export interface Clock {
  now(): number
  monotonic(): number
}

/** A partition that this worker owns now. Every write of an owner runs in a script that compares `token` first. */
export interface Fence {
  partition: number
  epoch: number
  /** The exact value of the lease key while we own it: `<workerId>:<epoch>`. */
  token: string
  /** Aborted as soon as the lease is lost or given up; everything done for the partition stops on it. */
  signal: AbortSignal
  /**
   * Whether the lease is certainly still ours, by the monotonic clock alone. A process that was frozen asks it before
   * it writes to a socket: no timer has told it yet that time has passed.
   */
  valid(): boolean
}

/** What every part of the worker may use. */
export interface Core {
  redis: Redis
  log: Logger
  clock: Clock
}

/** A checked job on its way through a lane. `id` and `queue` name it in BullMQ; `createdAt` is its timestamp in ms. */
export type Job<N extends JobName = JobName> = Extract<ContractJob, { name: N }> & {
  id: string
  queue: string
  createdAt: number
  /** 1 for the first attempt. */
  attempt: number
}

/**
 * Why a job did not complete. `never`: fails for good. `backoff`: BullMQ's attempts and backoff apply. `wait`: the
 * session went away under it; it keeps its place and runs again when the session is open, and no attempt is counted.
 */
export type Retry = 'never' | 'backoff' | 'wait'

/** The one error a handler throws on purpose. Anything else is a defect and is treated as `INTERNAL`, `backoff`. */
export class JobFailure extends Error {
  readonly code: JobCode
  readonly retry: Retry

  constructor(code: JobCode, message: string, retry: Retry = 'never') {
    super(message)
    this.name = 'JobFailure'
    this.code = code
    this.retry = retry
  }
}

/** A job's place among those of its session that run at once: they prepare side by side and write in order. */
export interface Turn {
  /** Resolves when every job before it has written or ended. Rejects with `retry: 'wait'` when one must run again. */
  come(): Promise<void>
  /**
   * From here on WhatsApp is asked something for this job: should it close the connection before the job has ended, the
   * job may be why.
   */
  asked(): void
  /** The job's message is on its way to WhatsApp: the turn passes on, while this job waits for its ack. */
  written(): void
}

/** The turn of a job that runs alone. */
export const ALONE: Turn = { come: async () => {}, asked() {}, written() {} }

/** The sessions of one owned partition, as the lanes see them. */
export interface Sessions {
  /** Brings back every session that was started. Resolves once all are known (not once they are open). */
  restore(): Promise<void>
  /**
   * Whether a job of this session can run now. False only while the session is on its way to open (pairing,
   * connecting, backoff); a session that is absent or in a final state answers true, and `run` fails its jobs at once.
   */
  ready(sessionId: string): boolean
  /** Calls back whenever `ready` may have changed for a session. */
  onChange(listener: (sessionId: string) => void): void
  /** Runs one job to its end. `turn` defaults to a job that runs alone. Throws {@link JobFailure}. */
  run(job: Job, signal: AbortSignal, turn?: Turn): Promise<JobResult>
  /** Closes all sockets; sessions stay started and the next owner restores them. Resolves when no socket is left. */
  close(): Promise<void>
}

/**
 * How many of a session's messages from WhatsApp are remembered, to know one that comes again. That happens to those
 * whose receipt was cut off, which are the last ones: on their way to WhatsApp, or among the `MOST_IN_FLIGHT`.
 */
export const REMEMBERED = 1000

/** How many messages of a socket may be decrypted while their receipts have not left. */
export const MOST_IN_FLIGHT = 250

/** What belongs to an event. */
export interface Along {
  /** The session's view; the whole hash is replaced. */
  view?: SessionView
  /** Names the message from WhatsApp that the event tells of. */
  received?: string
}

/** Where events go. */
export interface Outbox {
  /**
   * Appends the event to the session's outbox and, in the same fenced script, writes what is given with it. Resolves with
   * the event's seq once Redis has it. Throws `FencedError`.
   */
  append(fence: Fence, event: WebhookEvent, along?: Along): Promise<number>
  /** The newest of the `received` of the session's events. */
  received(fence: Fence, sessionId: string): Promise<string[]>
  /**
   * Marks the session as deleted: its view is gone at once, and its outbox goes when the last event is delivered. A
   * later `append` for the same session takes the mark back.
   */
  deleteAfterDelivery(fence: Fence, sessionId: string): Promise<void>
}
