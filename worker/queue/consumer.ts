import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Lanes } from '../lanes/lanes.ts'
import { MOST_HELD } from '../lanes/lanes.ts'
import { isOperationName } from '../../shared/operations.ts'
import { partitionOf } from '../../shared/partition.ts'
import { FencedError } from '../redis/fenced.ts'
import { isOutage, tellOutage } from '../redis/outage.ts'
import type { Core, Fence } from '../types.ts'
import type { Aside } from './aside.ts'
import { LONGEST_READ_MS, type Doorbell } from './doorbell.ts'
import type { Fetched, Refill, Source } from './fetch.ts'
import type { Finisher } from './finish.ts'
import type { Forward, Misplaced } from './forward.ts'
import type { Layout } from './layout.ts'
import type { RunOperation } from './operate.ts'
import type { Label } from './label.ts'
import type { Orphan, Orphans } from './orphans.ts'
import type { Park, ParkGroup, Parking } from './park.ts'
import type { ScheduleNext } from './schedule.ts'
import { readJob, type Held, type RawJob, type Reading } from './read.ts'
import { dropVanished } from './vanished.ts'

/** What a consumer needs. */
export interface ConsumerDeps extends Pick<Core, 'log' | 'clock'> {
  /** The connection of `source`; see there. */
  redis: Redis
  fence: Fence
  aside: Aside
  orphans: Orphans
  label: Label
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
/** Data in one fetch: media may come in the job itself, and providers of Redis refuse replies above 10 MiB. */
const FETCH_BYTES = 4 * 1024 * 1024
/** Data of all held jobs. Each is in memory twice more while it is sent. */
const HELD_BYTES = 32 * 1024 * 1024
/** Jobs that one command parks; keeps it short for everyone else on Redis. */
const MOST_PARKED = 250
/**
 * So often it looks while somebody else may still wait at the doorbell in its place and take a ring: a frozen owner, or a
 * connection of ours that Redis has not given up. Each takes one at most, within the time that a blocked read lasts.
 */
const WARY_MS = 1000
const WARY_FOR_MS = LONGEST_READ_MS + 2000

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
  /** Only so many jobs may be active; nobody rings for one that comes meanwhile, so each end is a ring. */
  let capped = false
  let woken = false
  /** The queue's own keys hold what they should, as far as is known. */
  let mended = false
  let waryUntil = fence.epoch > 1 ? clock.monotonic() + WARY_FOR_MS : 0
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

  /** Puts jobs that nobody holds in front of their lanes, without their data: it may be what killed their owner. */
  async function recover(takeover: boolean) {
    const { orphans, aside } = await deps.orphans.find(lanes.held)
    deps.aside.tell(aside)
    const ours = ({ name, sessionId }: Orphan) =>
      sessionId !== '' && !isOperationName(name) && partitionOf(sessionId, deps.partitions) === fence.partition
    // Several of a session may have run, of which one may have killed its owner: the oldest is blamed, and then runs
    // alone, so that in the end the right one is.
    const seen = new Set<string>()
    const parkings = orphans.filter(ours).map(({ id, name, sessionId }) => {
      const crashed = takeover && !seen.has(sessionId)
      seen.add(sessionId)
      return { id, name, sessionId, crashed }
    })
    for (let end = parkings.length; end > 0; end -= MOST_PARKED) {
      await parkAll(groupsOf(parkings.slice(Math.max(0, end - MOST_PARKED), end), 'front'))
    }
    for (let ids = orphans.filter(orphan => !ours(orphan)).map(({ id }) => id); ids.length > 0;) {
      const jobs = await deps.orphans.load(ids.slice(0, MOST_FETCHED), FETCH_BYTES)
      await dispatch(jobs)
      ids = ids.slice(jobs.length)
    }
    lanes.parkedAre(await source.survey())
    if (orphans.length > 0) log.info({ jobs: orphans.length, takeover }, 'jobs without a holder returned')
  }

  function read(raw: RawJob) {
    return readJob(raw, layout.queue, fence.partition, deps.partitions)
  }

  /** Gives fetched jobs to their lanes, and parks what those do not take. */
  async function dispatch(jobs: readonly RawJob[]) {
    const refused: Held[] = []
    const misplaced: Misplaced[] = []
    const moves: Promise<unknown>[] = []
    for (const raw of jobs) {
      const reading = read(raw)
      moves.push(deps.scheduleNext(raw))
      switch (reading.kind) {
        case 'job': {
          const { held } = reading
          if (!lanes.offer(held)) refused.push(held)
          break
        }
        case 'operation':
          moves.push(deps.aside.unless(raw[0], async () => deps.runOperation(reading)))
          break
        case 'misplaced':
          misplaced.push(reading)
          break
        case 'garbage':
          log.info({ jobId: reading.ref.id, reason: reading.message }, 'job refused')
          moves.push(fail(reading))
          break
        case 'vanished':
          moves.push(deps.aside.unless(raw[0], async () => dropVanished(deps, reading.id)))
          break
      }
    }
    moves.push(parkAll(groupsOf(refused, 'back')))
    if (misplaced.length > 0) moves.push(forward(misplaced))
    // One that fails must not end the round while others are under way: they would be taken for nobody's.
    const failed = (await Promise.allSettled(moves)).find(result => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  /** All in their order; where one of them cannot be moved, each by itself. */
  async function forward(misplaced: readonly Misplaced[]) {
    try {
      await deps.forward(misplaced)
    } catch (error) {
      if (error instanceof FencedError || isOutage(error)) throw error
      for (const each of misplaced) await deps.aside.unless(each.id, async () => deps.forward([each]))
    }
  }

  async function parkAll(groups: readonly ParkGroup[]) {
    if (groups.length === 0) return
    const parked = await park(groups)
    deps.aside.tell(parked.aside)
    for (const lane of parked.lanes) lanes.parkedIs(lane)
  }

  async function fail({ ref, code, message }: Reading & { kind: 'garbage' }) {
    await deps.finisher.finish(ref, { state: 'failed', code, message })
  }

  /** Resolves with whether the queue refused to give parked jobs. */
  async function refill(wanted: Refill[]): Promise<boolean> {
    const { lanes: filled, refused, aside } = await source.refill(wanted, room())
    deps.aside.tell(aside)
    for (const [i, { taken, ...parked }] of filled.entries()) {
      const held: Held[] = []
      for (const raw of taken) {
        const reading = read(raw)
        await deps.scheduleNext(raw)
        // What has a session's name may still not keep to the contract.
        if (reading.kind === 'job' && reading.held.sessionId === parked.sessionId) held.push(reading.held)
        else await dispatch([raw])
      }
      lanes.parkedIs(parked)
      lanes.refilled(parked.sessionId, wanted[i]?.from ?? 'head', held)
    }
    return refused
  }

  /** The bytes that the next command may bring. */
  function room(): number {
    return Math.max(0, Math.min(FETCH_BYTES, HELD_BYTES - lanes.bytes))
  }

  async function fetch(): Promise<Fetched> {
    const fetched = await source.fetch(Math.min(MOST_FETCHED, MOST_HELD - lanes.held.size), room())
    deps.aside.tell(fetched.aside)
    await dispatch(fetched.jobs)
    await deps.label(fetched.unread)
    fetched.parked.forEach(parked => lanes.parkedIs(parked))
    dry = fetched.dry
    capped = fetched.capped
    return fetched
  }

  function listen(ms: number) {
    if (ringing) return
    ringing = true
    const rung = async () => {
      const answered = await deps.doorbell.wait(clock.monotonic() < waryUntil ? Math.min(ms, WARY_MS) : ms)
      if (!answered) {
        waryUntil = clock.monotonic() + WARY_FOR_MS
        mended = false
      }
      ringing = false
      dry = false
      wake()
    }
    void rung()
  }

  /** One round. Resolves with the ms that may pass before the next, when nothing wakes us. */
  async function round(): Promise<number> {
    await parkAll(lanes.leaving())
    const full = lanes.bytes >= HELD_BYTES
    const wanted = lanes.wanted(full)
    if (wanted.length > 0 && (await refill(wanted))) return REFUSED_MS
    if (lanes.held.size >= MOST_HELD || full) return IDLE_MS
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
      lanes.onChange(() => {
        if (capped) dry = false
        wake()
      })
      let recovered = false
      let takeover = true
      while (!signal.aborted) {
        try {
          if (!mended) {
            await deps.aside.brokenKeys([...lanes.held.values()].map(({ sessionId }) => sessionId))
            mended = true
          }
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
          // What Redis refuses though it is there is a key of the queue, or of a lane, that holds something else.
          mended &&= isOutage(error)
          if (isOutage(error)) tellOutage(log, error, 'queue not reached')
          else log.warn({ err: error }, 'queue not reached')
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

/** Jobs in their order, as groups of each session. */
function groupsOf(jobs: readonly (Parking & { sessionId: string })[], side: ParkGroup['side']): ParkGroup[] {
  return [...Map.groupBy(jobs, job => job.sessionId)].map(([sessionId, group]) => ({ sessionId, side, jobs: group }))
}
