import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Lanes } from '../lanes/lanes.ts'
import { MOST_HELD } from '../lanes/lanes.ts'
import { FencedError } from '../redis/fenced.ts'
import type { Core, Fence } from '../types.ts'
import type { Doorbell } from './doorbell.ts'
import type { Fetched, Refill, Source } from './fetch.ts'
import type { Finisher } from './finish.ts'
import type { Forward, Misplaced } from './forward.ts'
import type { Layout } from './layout.ts'
import type { RunOperation } from './operate.ts'
import { findOrphans } from './orphans.ts'
import type { Park, ParkGroup } from './park.ts'
import type { ScheduleNext } from './schedule.ts'
import { readJob, type Held, type JobRef, type RawJob } from './read.ts'
import { dropVanished } from './vanished.ts'

/** What a consumer needs. */
export interface ConsumerDeps extends Pick<Core, 'log' | 'clock'> {
  /** The connection of `source`; see there. */
  redis: Redis
  fence: Fence
  layout: Layout
  partitions: number
  source: Source
  park: Park
  forward: Forward
  scheduleNext: ScheduleNext
  runOperation: RunOperation
  finisher: Finisher
  doorbell: Doorbell
  lanes: Lanes
}

/** Moves jobs between one partition's queue, its lanes in Redis and its lanes here. */
export interface Consumer {
  readonly name: string
  /** Runs until aborted or fenced. */
  run(signal: AbortSignal): Promise<void>
  /** After `run` ended: parks what the lanes still hold but do not run. */
  giveBack(): Promise<void>
}

/** An idle consumer looks at its queue this often, whatever the doorbell says. */
const IDLE_MS = 60_000
/** A paused or limited queue rings no bell when that ends. */
const REFUSED_MS = 2000
const ERROR_PAUSE_MS = 250
/** Jobs in one fetch: enough to make the round trip cheap, few enough not to stall the event loop. */
const MOST_FETCHED = 64
/** Data in one fetch, and in all held jobs: media may come in the job itself. */
const FETCH_BYTES = 8 * 1024 * 1024
const HELD_BYTES = 64 * 1024 * 1024

/**
 * See {@link Consumer}. Everything that takes or returns jobs runs in this one loop, one command after the other, so
 * that the order of the queue survives by construction and not by care.
 */
export function createConsumer(deps: ConsumerDeps): Consumer {
  const { fence, layout, lanes, source, park, clock } = deps
  const log = deps.log.child({ loop: 'consumer' })
  let ringing = false
  /** Nothing was to be had at the last fetch, and nothing has rung since. */
  let dry = false
  let woken = false
  let wakeUp = () => {}

  function wake() {
    woken = true
    wakeUp()
  }

  async function asleep(ms: number, signal: AbortSignal) {
    if (!woken && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const end = () => resolve()
      wakeUp = end
      const timer = setTimeout(end, ms)
      signal.addEventListener('abort', end, { once: true })
      await promise
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
    }
    woken = false
  }

  /** Puts jobs that nobody holds in front of their lanes. */
  async function recover(takeover: boolean) {
    const orphans = await findOrphans(deps.redis, layout, lanes.held)
    const bySession = new Map<string, Held[]>()
    const others: RawJob[] = []
    for (const raw of orphans) {
      const reading = read(raw)
      if (reading.kind !== 'job') others.push(raw)
      else bySession.set(reading.held.sessionId, [...(bySession.get(reading.held.sessionId) ?? []), reading.held])
    }
    await dispatch(others)
    // Several of a session may have run, of which one may have killed its owner: the oldest is blamed, and then runs
    // alone, so that in the end the right one is.
    const groups = [...bySession].map(([sessionId, jobs]): ParkGroup => {
      const parkings = jobs.map(({ id, name }, i) => ({ id, name, crashed: takeover && i === 0 }))
      return { sessionId, side: 'front', jobs: parkings }
    })
    if (groups.length > 0) await park(groups)
    lanes.parkedAre(await source.survey())
    if (orphans.length > 0) log.info({ jobs: orphans.length, takeover }, 'jobs without a holder returned')
  }

  function read(raw: RawJob) {
    return readJob(raw, layout.queue, fence.partition, deps.partitions)
  }

  /** Gives fetched jobs to their lanes, and parks what those do not take. */
  async function dispatch(jobs: readonly RawJob[]) {
    const refused = new Map<string, Held[]>()
    const misplaced: Misplaced[] = []
    const moves: Promise<unknown>[] = []
    for (const raw of jobs) {
      const reading = read(raw)
      moves.push(deps.scheduleNext(raw))
      switch (reading.kind) {
        case 'job': {
          const { held } = reading
          if (!lanes.offer(held)) refused.set(held.sessionId, [...(refused.get(held.sessionId) ?? []), held])
          break
        }
        case 'operation':
          moves.push(deps.runOperation(reading))
          break
        case 'misplaced':
          misplaced.push(reading)
          break
        case 'garbage':
          log.info({ jobId: reading.ref.id, reason: reading.message }, 'job refused')
          moves.push(fail(reading.ref, reading.message))
          break
        case 'vanished':
          moves.push(dropVanished(deps, reading.id))
          break
      }
    }
    const groups = [...refused].map(([sessionId, held]): ParkGroup => ({ sessionId, side: 'back', jobs: held }))
    moves.push(parkAll(groups))
    if (misplaced.length > 0) moves.push(deps.forward(misplaced))
    await Promise.all(moves)
  }

  async function parkAll(groups: readonly ParkGroup[]) {
    if (groups.length === 0) return
    for (const parked of await park(groups)) lanes.parkedIs(parked)
  }

  async function fail(ref: JobRef, message: string) {
    await deps.finisher.finish(ref, { state: 'failed', code: 'INVALID_JOB', message })
  }

  /** Resolves with whether the queue refused to give parked jobs. */
  async function refill(wanted: Refill[]): Promise<boolean> {
    const { lanes: filled, refused } = await source.refill(wanted, FETCH_BYTES)
    for (const [i, { taken, ...parked }] of filled.entries()) {
      const held: Held[] = []
      for (const raw of taken) {
        const reading = read(raw)
        await deps.scheduleNext(raw)
        // It was checked before it was parked; only a new version of the contract can refuse it now.
        if (reading.kind === 'job') held.push(reading.held)
        else await dispatch([raw])
      }
      lanes.parkedIs(parked)
      lanes.refilled(parked.sessionId, wanted[i]?.from ?? 'head', held)
    }
    return refused
  }

  async function fetch(): Promise<Fetched> {
    const room = Math.min(MOST_FETCHED, MOST_HELD - lanes.held.size)
    const fetched = await source.fetch(room, FETCH_BYTES)
    await dispatch(fetched.jobs)
    fetched.parked.forEach(parked => lanes.parkedIs(parked))
    dry = fetched.dry
    return fetched
  }

  function listen(ms: number) {
    if (ringing) return
    ringing = true
    const rung = async () => {
      await deps.doorbell.wait(ms)
      ringing = false
      dry = false
      wake()
    }
    void rung()
  }

  /** One round. Resolves with the ms that may pass before the next, when nothing wakes us. */
  async function round(): Promise<number> {
    await parkAll(lanes.leaving())
    const wanted = lanes.wanted()
    if (wanted.length > 0 && (await refill(wanted))) return REFUSED_MS
    if (lanes.held.size >= MOST_HELD || lanes.bytes >= HELD_BYTES) return IDLE_MS
    if (dry) return IDLE_MS
    const { refused, limitedMs, nextDelayed } = await fetch()
    if (!dry) return 0
    if (limitedMs > 0 || refused > 0) {
      dry = false
      return limitedMs > 0 ? Math.min(limitedMs, IDLE_MS) : REFUSED_MS
    }
    listen(nextDelayed > 0 ? Math.min(Math.max(nextDelayed - clock.now(), 1), IDLE_MS) : IDLE_MS)
    return IDLE_MS
  }

  return {
    name: `consumer-${fence.partition}`,
    async run(signal) {
      lanes.onChange(wake)
      let recovered = false
      let takeover = true
      while (!signal.aborted) {
        try {
          if (!recovered) {
            await recover(takeover)
            dry = false
            takeover = false
            recovered = true
          }
          const pause = await round()
          if (pause > 0) await asleep(pause, signal)
        } catch (error) {
          if (error instanceof FencedError) return
          // The reply of a command may be lost, and with it jobs that it took.
          recovered = false
          if (signal.aborted) return
          log.warn({ err: error }, 'queue not reached')
          await sleep(ERROR_PAUSE_MS, undefined, { signal }).catch(() => undefined)
        }
      }
    },
    async giveBack() {
      lanes.stop()
      for (let groups = lanes.leaving(); groups.length > 0; groups = lanes.leaving()) await park(groups)
    },
  }
}
