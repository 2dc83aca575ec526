import type { Redis } from 'ioredis'
import { queueOf } from '../../shared/partition.ts'
import { createLanes, type Lanes, type LanesDeps } from './lane/lanes.ts'
import { createPerform, type JobWatch } from './perform.ts'
import type { Core } from '../core.ts'
import type { Fence } from '../ownership/fence.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { createAside } from './bullmq/aside.ts'
import { createConsumer, type Consumer } from './consumer.ts'
import { createDoorbell } from './bullmq/doorbell.ts'
import type { Outcomes } from './ending.ts'
import { createFinisher } from './bullmq/finish.ts'
import { layoutOf } from './bullmq/layout.ts'
import type { OwnedQueue } from './bullmq/owned-queue.ts'
import type { Operate } from './operations.ts'
import { createSchedules } from './bullmq/schedule.ts'

/** What running the jobs of one owned partition needs. */
export interface JobsDeps {
  core: Core
  fence: Fence
  partitions: number
  sessions: Sessions
  /** A connection for taking jobs, of patience `fail`, and one of patience `block`, both used by nothing else. */
  taking: Redis
  blocking: Redis
  operate: Operate
  /** Absent: no events tell of jobs. */
  outcomes?: Outcomes | undefined
  watch?: JobWatch
  /** Told of each job or key of the queue that was set aside. */
  onAside?: ((reason: string) => void) | undefined
  pause?: LanesDeps['pause']
}

/** The jobs of one owned partition. */
export interface Jobs {
  consumer: Consumer
  lanes: Lanes
  /**
   * Stops taking, waits up to `graceMs` for what runs, then closes the sessions and gives everything that did not run
   * back to Redis.
   */
  drain(graceMs: number): Promise<void>
  /** Ends now, without a word to Redis. */
  abandon(): Promise<void>
}

/** What a job may take to notice that its socket has closed. */
const CLOSING_MS = 1000

/** Starts to run the jobs of one owned partition; `consumer.run` is for the caller to start. */
export function openJobs(deps: JobsDeps): Jobs & { run(): Promise<void> } {
  const { core, fence, partitions, sessions, taking, blocking } = deps
  const { clock, log } = core
  const layout = layoutOf(queueOf(fence.partition))
  const intake = new AbortController()
  const work = new AbortController()
  const { promise: lost, resolve: lose } = Promise.withResolvers<void>()
  const onLost = () => {
    work.abort()
    lose()
  }
  fence.signal.addEventListener('abort', onLost, { once: true })

  const settling: OwnedQueue = { redis: core.redis, fence, layout, clock }
  const aside = createAside(settling, log, deps.onAside)
  const finisher = aside.finisher(createFinisher(settling, deps.outcomes))
  const perform = createPerform({
    sessions,
    finisher,
    fence,
    signal: work.signal,
    log,
    clock,
    watch: deps.watch ?? {},
  })
  const lanes = createLanes({ sessions, perform, ...(deps.pause && { pause: deps.pause }) })
  const doorbell = createDoorbell(blocking, layout)
  const consumer = createConsumer({
    log,
    queue: { ...settling, redis: taking },
    partitions,
    lanes,
    finisher,
    doorbell,
    aside,
    schedules: createSchedules(core.redis, layout, log),
    operate: deps.operate,
  })
  let running: Promise<void> = Promise.resolve()

  async function stopTaking() {
    intake.abort()
    doorbell.close()
    lanes.stop()
    await running
  }

  return {
    consumer,
    lanes,
    async run() {
      running = consumer.run(AbortSignal.any([intake.signal, fence.signal]))
      await running
    },
    async drain(graceMs) {
      await stopTaking()
      await lanes.quiet(AbortSignal.any([fence.signal, AbortSignal.timeout(graceMs)]))
      work.abort()
      await sessions.close()
      await lanes.quiet(AbortSignal.any([fence.signal, AbortSignal.timeout(CLOSING_MS)]))
      // When the lease is lost meanwhile, or Redis does not answer, the next owner finds these jobs in 'active'.
      await Promise.race([consumer.giveBack(), lost])
      taking.disconnect()
    },
    async abandon() {
      work.abort()
      const closed = sessions.close()
      intake.abort()
      lanes.stop()
      doorbell.close()
      taking.disconnect()
      await closed
      await running
    },
  }
}
