import type { Redis } from 'ioredis'
import type { Clock } from '../../core.ts'
import type { Fence } from '../../ownership/fence.ts'
import type { Layout } from './layout.ts'

/** The queue of a partition that this worker owns, as the functions of this folder take it. Their scripts are fenced. */
export interface OwnedQueue {
  /**
   * Where their scripts run. What takes jobs needs a connection that fails, and does not repeat, a command whose
   * connection breaks: a repeat would take twice.
   */
  redis: Redis
  fence: Fence
  layout: Layout
  clock: Clock
}
