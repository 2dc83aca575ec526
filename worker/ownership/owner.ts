import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { giveUp } from '../redis/connection.ts'
import { tellOutage } from '../redis/outage.ts'
import { runIdOf } from '../redis/server-check.ts'
import type { Core } from '../core.ts'
import type { Fence } from './fence.ts'
import { beginGeneration, type Generation } from './generation.ts'
import { hold, type Holding, type OwnedPartition } from './holding.ts'
import { beat, claim, release, RELEASED, unlist, type Beat } from './leases.ts'
import { nextToMove } from './moves.ts'
import { plan } from './shares.ts'
import type { Timing } from './timing.ts'
import { within } from './within.ts'

/** What an owner needs. */
export interface OwnerDeps extends Pick<Core, 'log' | 'clock'> {
  /** Its own connection, whose commands fail when it breaks: renewals must not queue behind anything. */
  redis: Redis
  /** A connection for subscribing, which wakes a standby when a partition is released. */
  subscriber: Redis
  workerId: string
  partitions: number
  generation: Generation
  /** Told when `redis` was found to be silent. */
  onSilence?: () => void
  timing: Timing
  /** Starts what runs while a partition is owned. Rejects when it cannot; the partition is then given up. */
  start(fence: Fence): Promise<OwnedPartition>
}

/** Owns this worker's share of the partitions. */
export interface Owner {
  readonly name: string
  /** Runs until aborted, then hands everything over. Resolves when nothing is owned. */
  run(signal: AbortSignal): Promise<void>
  /** The partitions that are owned now, for health and metrics. */
  owned(): Fence[]
  /** Whether Redis answered the last beat: false while ownership is uncertain. */
  connected(): boolean
}

/** A partition that did not start is left to others for so long. */
const COOL_DOWN_MS = 5000
/** So long after the reckoned end of a foreign lease it is looked at again. */
const AFTER_EXPIRY_MS = 10
/** So often the subscriber is asked whether it still hears: nothing is owed on it that could be missed. */
const HEARING_MS = 30_000

/** See {@link Owner}. */
export function createOwner(deps: OwnerDeps): Owner {
  const { redis, subscriber, workerId, partitions, timing, clock, generation } = deps
  const log = deps.log.child({ loop: 'ownership' })
  const holdings = new Map<number, Holding>()
  const coolUntil = new Map<number, number>()
  let connected = false
  let mark = ''
  let runId: string | undefined
  let restarted = false
  let wake = new AbortController()
  // A beat that is not answered leaves time for another one on a new connection before the sockets have to close.
  const answerMs = Math.min(timing.beatMs, (timing.ttlMs - timing.marginMs - timing.beatMs) / 2)

  /** One beat and what follows from it; `signal` is aborted when the worker stops. Resolves with the ms until the next. */
  async function step(signal: AbortSignal): Promise<number> {
    const sentAt = clock.monotonic()
    // Who stops renews what is still closing, but is counted no more: the others take what is closed already.
    const listedMs = signal.aborted ? 0 : timing.listedMs
    const sent = Array.from({ length: partitions }, (_, p) => tokenOf(p))
    const found = await answered(beat(redis, workerId, { ...timing, listedMs, mark: listedMs > 0 ? mark : '' }, sent))
    if (found === undefined || found.generation < generation.current()) return startOver()
    settle(found, sent, sentAt)
    if (signal.aborted) return 0
    mark = found.mark
    if (found.generation === 0) return begin(false)
    generation.adopt(found.generation)
    if (restarted) return forgetLastMoments()
    const { share, claim: free, surplus } = plan(workerId, found)
    const moved = surplus > 0 ? nextToMove(holdings) : undefined
    if (moved !== undefined) part(moved, 'another worker has a claim to it')
    await take(share, free)
    const foreign = found.leases.filter(
      ({ token, remainingMs }, p) => token !== '' && remainingMs >= 0 && !holdings.has(p),
    )
    return Math.min(timing.beatMs, ...foreign.map(lease => lease.remainingMs + AFTER_EXPIRY_MS))
  }

  /** Redis has older data than it had: all that is in memory here, and in no one's hands any more, is thrown away. */
  async function startOver(): Promise<number> {
    for (const holding of holdings.values()) holding.lose()
    await begin(true)
    generation.wentBack()
    log.error(
      { generation: generation.current() },
      'redis was given an older copy of its data: what came in between is lost, all sessions start anew from the copy',
    )
    return 0
  }

  /**
   * Redis was started again, or another server has taken its place. What it lost then may be younger than our last beat, so
   * no mark tells: ids that were given in those moments are not given again.
   */
  async function forgetLastMoments(): Promise<number> {
    await begin(true)
    restarted = false
    log.warn(
      { generation: generation.current() },
      'redis was started again or replaced: it may have lost its last moments',
    )
    return 0
  }

  function watchRestarts() {
    const note = (found: string | undefined) => {
      restarted ||= runId !== undefined && found !== undefined && found !== runId
      runId = found ?? runId
      if (restarted) wake.abort()
    }
    const look = () => void runIdOf(redis).then(note, () => undefined)
    redis.on('ready', look)
    if (redis.status === 'ready') look()
  }

  async function begin(back: boolean): Promise<number> {
    const known = generation.current()
    generation.adopt(await answered(beginGeneration(redis, { workerId, known, partitions, back })))
    // It has taken our mark away.
    mark = ''
    return 0
  }

  /** What Redis answers in time. A connection that is late is taken for silent: the next beat gets another one. */
  async function answered<T>(command: Promise<T>): Promise<T> {
    return within(command, answerMs, () => {
      giveUp(redis)
      deps.onSilence?.()
    })
  }

  /** A subscriber that is silent is found out by its connection, once something is owed on it. */
  async function keepHearing(signal: AbortSignal) {
    while (!signal.aborted) {
      await sleep(HEARING_MS, undefined, { signal }).catch(() => undefined)
      if (!signal.aborted) await subscriber.ping().catch(() => undefined)
    }
  }

  function tokenOf(partition: number): string {
    const holding = holdings.get(partition)
    // A lease whose deadline has passed here is not renewed: another worker may have been told that it ends.
    return holding?.fence.valid() ? holding.fence.token : ''
  }

  function settle(found: Beat, sent: readonly string[], sentAt: number) {
    found.leases.forEach(({ token }, partition) => {
      const ours = sent[partition]
      const holding = holdings.get(partition)
      if (holding === undefined || ours === '' || holding.fence.token !== ours) return
      if (token === ours) return holding.renewed(sentAt)
      log.warn({ partition, epoch: holding.fence.epoch }, 'lease lost')
      holding.lose()
    })
  }

  async function take(share: number, free: readonly number[]) {
    const offered = free.filter(p => !holdings.has(p) && (coolUntil.get(p) ?? 0) <= clock.monotonic())
    for (const partition of offered) {
      if (holdings.size >= share) return
      const claimedAt = clock.monotonic()
      const epoch = await answered(claim(redis, workerId, timing.ttlMs, partition))
      if (epoch !== undefined) own(partition, epoch, claimedAt)
    }
  }

  function own(partition: number, epoch: number, claimedAt: number) {
    log.info({ partition, epoch }, 'partition claimed')
    const holding = hold({ partition, epoch, workerId, clock, timing, claimedAt, start: fence => deps.start(fence) })
    holdings.set(partition, holding)
    const end = async () => {
      await holding.ended.catch(error => {
        log.error({ partition, epoch, err: error }, 'partition failed')
        coolUntil.set(partition, clock.monotonic() + COOL_DOWN_MS)
      })
      // Until here we renewed or watched it; claiming it anew before everything of ours has ended could give one
      // session two sockets in this very process.
      await release(redis, partition, holding.fence.token).catch(error => {
        log.warn({ partition, error: messageOf(error) }, 'lease not released, it will expire')
      })
      holdings.delete(partition)
      log.info({ partition, epoch }, 'partition released')
      wake.abort()
    }
    void end()
  }

  function part(partition: number, reason: string) {
    const holding = holdings.get(partition)
    if (!holding?.open) return
    log.info({ partition, epoch: holding.fence.epoch, reason }, 'partition given up')
    void holding.handOver()
  }

  async function handEverythingOver() {
    const unlisted = within(unlist(redis, workerId), timing.beatMs).catch(() => undefined)
    for (const partition of holdings.keys()) part(partition, 'the worker stops')
    while (holdings.size > 0) {
      await rest(timing.beatMs)
      // A lease that ends meanwhile is simply lost.
      if (holdings.size > 0) await step(AbortSignal.abort()).catch(() => undefined)
    }
    await unlisted
  }

  async function rest(ms: number, signal?: AbortSignal) {
    await sleep(ms, undefined, { signal: signal ? AbortSignal.any([wake.signal, signal]) : wake.signal }).catch(
      () => {},
    )
    if (wake.signal.aborted) wake = new AbortController()
  }

  return {
    name: 'ownership',
    async run(signal) {
      subscriber.on('message', () => wake.abort())
      watchRestarts()
      // Without it a standby still finds out at its next beat.
      subscriber.subscribe(RELEASED).catch(error => log.warn({ error: messageOf(error) }, 'not subscribed'))
      void keepHearing(signal)
      while (!signal.aborted) {
        let pause = timing.retryMs
        try {
          pause = await step(signal)
          connected = true
        } catch (error) {
          // Neither renewed nor lost: nobody knows. The deadlines go on and decide.
          connected = false
          tellOutage(log, error, 'redis did not answer a beat')
        }
        await rest(pause, signal)
      }
      await handEverythingOver()
    },
    owned: () => [...holdings.values()].filter(holding => holding.open).map(holding => holding.fence),
    connected: () => connected,
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
