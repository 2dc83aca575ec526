import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { Fence } from './ownership/fence.ts'

/** Injectable time. `now` is wall-clock ms; `monotonic` never jumps (leases are judged by it). */
export interface Clock {
  now(): number
  monotonic(): number
}

/** What every part of the worker may use. */
export interface Core {
  redis: Redis
  log: Logger
  clock: Clock
}

/** One session as its socket's followers see it. `fence` guards every write they make for it. */
export interface SessionContext {
  sessionId: string
  fence: Fence
  core: Core
}
