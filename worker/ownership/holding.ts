import type { Clock } from '../core.ts'
import type { Fence } from './fence.ts'
import type { Timing } from './timing.ts'

/** How an owner lets go: with the lease still held, so that it can put things in order, or without it. */
export type Parting = 'hand-over' | 'lost'

/** What runs while a partition is owned. */
export interface OwnedPartition {
  /** Whether all that was taken over has had its turn to come back. Until then it is not moved on. */
  settled(): boolean
  /** Stops all work. Resolves when no socket is left and nothing more is written. */
  close(parting: Parting): Promise<void>
}

/** One partition that we hold: its fence, its deadline, and what runs behind it. */
export interface Holding {
  readonly fence: Fence
  /** Resolves when everything behind the fence has ended, whether the lease was lost or given up. */
  readonly ended: Promise<void>
  /** True until it starts to end. */
  readonly open: boolean
  /** Whether it has started and what it took over is back, see {@link OwnedPartition.settled}. */
  readonly settled: boolean
  /** A renewal that was sent at `sentAt` (monotonic ms) has succeeded. */
  renewed(sentAt: number): void
  /** The lease is lost: everything stops now. */
  lose(): void
  /** Gives up while the lease lasts. The lease is renewed meanwhile; the caller releases it afterwards. */
  handOver(): Promise<void>
}

/** What a holding needs. */
export interface HoldingDeps {
  partition: number
  epoch: number
  workerId: string
  clock: Clock
  timing: Timing
  /** Monotonic ms, taken before the claim was sent. */
  claimedAt: number
  start(fence: Fence): Promise<OwnedPartition>
}

/**
 * Starts to run an owned partition. Time is measured from before a renewal was sent: Redis may have counted from any
 * moment after it, so this deadline is never late. It is watched by a timer, which is the first thing to run when a
 * frozen process wakes, and by `fence.valid()` for what runs even before timers.
 */
export function hold(deps: HoldingDeps): Holding {
  const { partition, epoch, workerId, clock, timing } = deps
  const controller = new AbortController()
  const lifeMs = timing.ttlMs - timing.marginMs
  let deadline = deps.claimedAt + lifeMs
  let ending: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let started: OwnedPartition | undefined

  const fence: Fence = {
    partition,
    epoch,
    token: `${workerId}:${epoch}`,
    signal: controller.signal,
    valid: () => !controller.signal.aborted && clock.monotonic() < deadline,
  }
  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<void>()
  const running = deps.start(fence)
  running.then(
    owned => (started = owned),
    error => {
      lose()
      fail(error)
    },
  )

  function watch() {
    clearTimeout(timer)
    timer = setTimeout(
      () => {
        if (clock.monotonic() >= deadline) lose()
        else watch()
      },
      Math.max(0, deadline - clock.monotonic()),
    )
  }
  watch()

  async function close(parting: Parting) {
    try {
      await (await running).close(parting)
    } finally {
      clearTimeout(timer)
      controller.abort()
    }
  }

  function lose() {
    if (controller.signal.aborted) return
    controller.abort()
    clearTimeout(timer)
    // A hand-over that was under way goes on: what it still writes is refused by Redis.
    ending ??= close('lost').then(end, fail)
  }

  return {
    fence,
    ended,
    get open() {
      return ending === undefined
    },
    get settled() {
      return started?.settled() ?? false
    },
    renewed(sentAt) {
      if (controller.signal.aborted) return
      deadline = Math.max(deadline, sentAt + lifeMs)
      watch()
    },
    lose,
    handOver() {
      ending ??= close('hand-over').then(end, fail)
      return ending
    },
  }
}
