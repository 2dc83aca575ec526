import { keys } from '../../../shared/keys.ts'
import { fencedScript } from '../../redis/fenced.ts'
import type { SetAside } from './aside.ts'
import { FETCH, REFILL } from './fetch-script.ts'
import { moveToActiveKeys } from './layout.ts'
import type { OwnedQueue } from './owned-queue.ts'
import type { RawJob, Unread } from '../read.ts'
import { workerNameOf } from './worker-name.ts'

/** How much of a session's lane is in Redis. */
export interface Parked {
  sessionId: string
  jobs: number
  /** How many of them are START, STOP or DELETE. */
  controls: number
}

/** What a fetch brought. */
export interface Fetched {
  /** Now in `active`, in the queue's order. */
  jobs: RawJob[]
  /** Lanes that grew: jobs whose session had parked ones were put behind them and not brought here. */
  parked: Parked[]
  /** Whether nothing more is to be had now. */
  dry: boolean
  /** Jobs that wait although nothing is to be had: the queue is paused, or its limits are reached. */
  refused: number
  /** How long the queue's rate limit still forbids more, in ms. */
  limitedMs: number
  /** The time in ms of the next delayed job, or 0. */
  nextDelayed: number
  /** What could not be read; it is in no list of the queue any more. */
  aside: SetAside[]
  /** The queue's next jobs, still in their places: whose they are must be known before they can be fetched. */
  unread: Unread[]
  /** Only so many jobs may be active at once. While they are, nobody rings for those that come. */
  capped: boolean
}

/** What a lane is to be given back of its parked jobs: the oldest, or its controls alone. */
export interface Refill {
  sessionId: string
  count: number
  from: 'head' | 'controls'
}

/** What a {@link Refill} brought. */
export interface Refilled extends Parked {
  taken: RawJob[]
}

const SURVEY = fencedScript(`
local found = {}
for _, session in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  found[#found + 1] = {session, redis.call('LLEN', ARGV[1] .. session), redis.call('LLEN', ARGV[2] .. session)}
end
return found
`)

/**
 * Takes up to `room` jobs from the queue into BullMQ's `active`, of `budget` bytes at most, unless the first alone is
 * larger. Throws as fenced scripts do.
 */
export async function fetchJobs(queue: OwnedQueue, room: number, budget: number): Promise<Fetched> {
  const { redis, fence } = queue
  const reply = (await FETCH.run(redis, fence, keysOf(queue), [...argumentsOf(queue), room, budget])) as FetchReply
  const [jobs, grown, dry, refused, limitedMs, nextDelayed, aside, unread, capped] = reply
  return {
    jobs,
    parked: grown.map(parkedOf),
    dry: dry === 1,
    refused,
    limitedMs,
    nextDelayed: Math.max(0, nextDelayed),
    aside,
    unread,
    capped: capped === 1,
  }
}

/**
 * Takes parked jobs back into `active`, of `budget` bytes at most, unless the first alone is larger. `refused`: the queue is
 * paused or limited, and some were left where they are. Throws as fenced scripts do.
 */
export async function refillLanes(
  queue: OwnedQueue,
  wanted: readonly Refill[],
  budget: number,
): Promise<{ lanes: Refilled[]; refused: boolean; aside: SetAside[] }> {
  const { redis, fence } = queue
  const args = wanted.flatMap(({ sessionId, count, from }) => [sessionId, count, from])
  const reply = await REFILL.run(redis, fence, keysOf(queue), [...argumentsOf(queue), budget, ...args])
  const [rows, refused, aside] = reply as [[string, RawJob[], number, number][], number, SetAside[]]
  const lanes = rows.map(([sessionId, taken, jobs, controls]) => ({ sessionId, taken, jobs, controls }))
  return { lanes, refused: refused === 1, aside }
}

/** Every lane that has parked jobs. Throws as fenced scripts do. */
export async function surveyLanes({ redis, fence }: OwnedQueue): Promise<Parked[]> {
  const args = [keys.lane(''), keys.laneControls('')]
  const rows = (await SURVEY.run(redis, fence, [keys.parked(fence.partition)], args)) as Row[]
  return rows.map(parkedOf)
}

function keysOf({ fence, layout }: OwnedQueue): string[] {
  const { partition } = fence
  return [...moveToActiveKeys(layout), keys.parked(partition), keys.aside(partition), keys.due(partition)]
}

function argumentsOf({ fence, layout, clock }: OwnedQueue): (string | number)[] {
  return [layout.prefix, clock.now(), keys.lane(''), keys.laneControls(''), workerNameOf(fence)]
}

type FetchReply = [
  jobs: RawJob[],
  grown: Row[],
  dry: number,
  refused: number,
  limitedMs: number,
  nextDelayed: number,
  aside: SetAside[],
  unread: Unread[],
  capped: number,
]

type Row = [sessionId: string, jobs: number, controls: number]

function parkedOf([sessionId, jobs, controls]: Row): Parked {
  return { sessionId, jobs, controls }
}
