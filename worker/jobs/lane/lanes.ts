import type { Parked, Refill } from '../bullmq/fetch.ts'
import type { ParkGroup } from '../bullmq/park.ts'
import type { Held } from '../read.ts'
import type { Sessions } from '../../sessions/sessions.ts'
import { createLane, type Lane } from './lane.ts'
import type { Perform } from '../perform.ts'

/** Most jobs that are held in memory in one partition, running ones included. */
export const MOST_HELD = 512
/** Of these, the most that parked jobs may take: the rest is kept for what comes from the queue. */
const MOST_REFILLED = 384
/** A lane may always hold so many, and up to half of what is free beyond: few lanes use all, many share. */
const LEAST_LIMIT = 4

/** What lanes need. */
export interface LanesDeps {
  sessions: Pick<Sessions, 'ready' | 'onChange'>
  perform: Perform
  /** How long a session must wait before this job starts, in ms. */
  pause?: (held: Held) => number
}

/** All lanes of one owned partition. */
export interface Lanes {
  /** Takes a job from the queue, in the queue's order. False: park it behind its lane's others in Redis. */
  offer(held: Held): boolean
  /** Redis told what it holds of a lane. */
  parkedIs(parked: Parked): void
  /** Redis told what it holds of all lanes. */
  parkedAre(all: readonly Parked[]): void
  refilled(sessionId: string, from: Refill['from'], jobs: readonly Held[]): void
  /** The parked jobs that lanes want now; START, STOP and DELETE alone when memory is `full`. */
  wanted(full: boolean): Refill[]
  /** The jobs that must be parked in front of their lanes now. */
  leaving(): ParkGroup[]
  /** Calls back when `wanted` or `leaving` may have something, or room was made. */
  onChange(listener: () => void): void
  /** Starts no more jobs; all that do not run leave. */
  stop(): void
  /** Resolves when no job runs and Redis knows of all ends, or when the signal aborts. */
  quiet(signal: AbortSignal): Promise<void>
  /** Held jobs by id. */
  readonly held: ReadonlyMap<string, Held>
  /** Size of the held jobs' data. */
  readonly bytes: number
  /** For metrics: parked jobs, over all lanes. */
  readonly parked: number
}

/** See {@link Lanes}. */
export function createLanes({ sessions, perform, pause = () => 0 }: LanesDeps): Lanes {
  const lanes = new Map<string, Lane>()
  const held = new Map<string, Held>()
  const dirty = new Set<string>()
  let bytes = 0
  let listener = () => {}
  let stopped = false

  function laneOf(sessionId: string): Lane {
    const known = lanes.get(sessionId)
    if (known) return known
    const lane = createLane({
      sessionId,
      ready: () => sessions.ready(sessionId),
      limit: () => Math.max(LEAST_LIMIT, Math.floor((MOST_HELD - held.size) / 2)),
      pause,
      perform: async (job, turn) => {
        const outcome = await perform(job, turn)
        if (outcome === 'again') return outcome
        return { settled: settle(job, outcome.settled) }
      },
      changed: () => changed(sessionId),
    })
    lanes.set(sessionId, lane)
    if (stopped) lane.stop()
    return lane
  }

  async function settle(job: Held, settled: Promise<void>) {
    await settled
    drop(job)
    changed(job.sessionId)
  }

  function parkedIs({ sessionId, jobs, controls }: Parked) {
    laneOf(sessionId).parkedIs(jobs, controls)
    changed(sessionId)
  }

  /** The same share of the room for each wish, and for those first that got nothing last time. */
  function grant(wishes: readonly Refill[], room: number): Refill[] {
    const share = Math.max(1, Math.floor(room / wishes.length))
    const granted: Refill[] = []
    let left = room
    for (const wish of wishes) {
      const count = wish.from === 'controls' ? wish.count : Math.min(wish.count, share, left)
      if (count <= 0) continue
      if (wish.from === 'head') left -= count
      granted.push({ ...wish, count })
      dirty.delete(wish.sessionId)
      dirty.add(wish.sessionId)
    }
    return granted
  }

  function changed(sessionId: string) {
    dirty.add(sessionId)
    listener()
  }

  function keep(job: Held) {
    held.set(job.id, job)
    bytes += job.bytes
  }

  function drop(job: Held) {
    if (held.delete(job.id)) bytes -= job.bytes
  }

  sessions.onChange(sessionId => lanes.get(sessionId)?.move())

  return {
    offer(job) {
      keep(job)
      const taken = laneOf(job.sessionId).offer(job)
      if (!taken) drop(job)
      return taken
    },
    parkedIs,
    parkedAre(all) {
      const rest = new Set(lanes.keys())
      for (const parked of all) {
        rest.delete(parked.sessionId)
        parkedIs(parked)
      }
      for (const sessionId of rest) parkedIs({ sessionId, jobs: 0, controls: 0 })
    },
    refilled(sessionId, from, jobs) {
      jobs.forEach(keep)
      laneOf(sessionId).refilled(from, jobs)
    },
    wanted(full) {
      const wishes: Refill[] = []
      for (const sessionId of dirty) {
        const lane = lanes.get(sessionId)
        const wish = lane?.wanted()
        // What finds no room stays, and is asked again when a job has ended.
        if (wish) wishes.push(wish)
        else dirty.delete(sessionId)
        // A lane without jobs is forgotten, so that memory follows the work and not the number of sessions ever seen.
        if (lane?.empty) lanes.delete(sessionId)
      }
      return grant(wishes, full ? 0 : MOST_REFILLED - held.size)
    },
    leaving() {
      const groups: ParkGroup[] = []
      for (const sessionId of dirty) {
        const jobs = lanes.get(sessionId)?.leaving() ?? []
        jobs.forEach(drop)
        if (jobs.length > 0) groups.push({ sessionId, side: 'front', jobs })
      }
      return groups
    },
    onChange(callback) {
      listener = callback
    },
    stop() {
      stopped = true
      for (const lane of lanes.values()) lane.stop()
    },
    async quiet(signal) {
      while (!signal.aborted && [...lanes.values()].some(lane => lane.running)) {
        await new Promise(resolve => setTimeout(resolve, 5))
      }
    },
    held,
    get bytes() {
      return bytes
    },
    get parked() {
      return [...lanes.values()].reduce((sum, lane) => sum + lane.parked, 0)
    },
  }
}
