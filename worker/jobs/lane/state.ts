import { isControl } from '../control.ts'
import type { Refill } from '../bullmq/fetch.ts'
import type { Held } from '../read.ts'

/**
 * What a lane knows of its jobs, those that run aside. Oldest first, a session's jobs stand in these places, and a job only
 * ever goes to the end of a place that keeps this so; that is why the session's order holds:
 *
 *     those that run, returning, waiting | front of the lane in Redis ... back of it | the queue
 *
 * A lane can *move* when its session is ready and the lane is not stopped. START, STOP and DELETE keep their place while it
 * can, and overtake while it cannot.
 *
 * | event       | when                                                  | what follows                                      |
 * | ----------- | ----------------------------------------------------- | ------------------------------------------------- |
 * | offered     | it can move, all older jobs are here, there is room   | waiting                                           |
 * | offered     | a control, and it cannot move                         | urgent                                            |
 * | offered     | otherwise                                             | refused: the caller parks it at the back          |
 * | parked      | Redis told what it holds of the lane                  | what was on its way there has arrived             |
 * | refilled    | from the front of the lane                            | waiting                                           |
 * | refilled    | controls alone                                        | urgent                                            |
 * | started     |                                                       | the oldest that waits runs                        |
 * | ended       | a job ended, and Redis does not know yet              | one more is unsettled                             |
 * | settled     | Redis knows                                           | one fewer                                         |
 * | interrupted | the connection ended under jobs, and it cannot move   | returning                                         |
 * | interrupted | ... and yet the session says that it is ready         | waiting, after a rest that grows                  |
 * | paused      | the next job must not start yet                       | rests                                             |
 * | rested      |                                                       | goes on                                           |
 * | overtakes   | no other control does                                 | the first urgent control runs                     |
 * | overtook    | it ended, and Redis knows                             | the next one, or the lane goes on                 |
 * | overtook    | ... or it must run again                              | it stays the first, and rests                     |
 * | shipped     | what returns is on its way to Redis                   | nothing of the lane is taken until Redis answers  |
 * | stopped     | the worker stops, or its lease is lost                | all that does not run returns                     |
 * | looked      | whether the session is ready may have changed         |                                                   |
 *
 * After each of them, a lane that cannot move has nothing waiting: controls become urgent, and the rest returns. One that can
 * move takes back what was to return and has not been shipped.
 */
export interface LaneState {
  /** In memory, to run in this order. */
  readonly waiting: readonly Held[]
  /** In memory, to be parked at the front of the lane in Redis. */
  readonly returning: readonly Held[]
  /** Controls that overtake, in their order. */
  readonly urgent: readonly Held[]
  /** Whether the first urgent control runs, or rests until it runs again. Meanwhile nothing else starts. */
  readonly overtaking: 'no' | 'runs' | 'rests'
  /** How many jobs stand in the lane in Redis, and how many of them are controls. */
  readonly parked: number
  readonly controls: number
  /** Between sending jobs to Redis and its answer: until then `parked` is too low. */
  readonly shipping: boolean
  /** Jobs that ended and of whose end Redis does not know yet. */
  readonly unsettled: number
  /** The rest that the lane takes, a new object for each; undefined: it does not rest. */
  readonly rest: { readonly ms: number } | undefined
  /** How long to rest when a job cannot run although the session is ready, in ms. */
  readonly pauseMs: number
  readonly stopped: boolean
}

/** What can happen to a lane; see {@link LaneState}. */
export type LaneEvent =
  | { type: 'offered'; held: Held }
  | { type: 'parked'; jobs: number; controls: number }
  | { type: 'refilled'; from: Refill['from']; jobs: readonly Held[] }
  | { type: 'interrupted'; jobs: readonly Held[] }
  | { type: 'overtook'; again: boolean }
  | { type: 'paused'; ms: number }
  | { type: 'started' | 'ended' | 'settled' | 'rested' | 'overtakes' | 'shipped' | 'stopped' | 'looked' }

/** What a lane is told of its surroundings with each event. */
export interface Surroundings {
  /** Whether a job of the session can run now. */
  ready: boolean
  /** How many jobs may wait in memory now. */
  limit: number
}

/** Jobs of one lane whose end Redis does not know yet. Awaiting each would cost a round trip a job. */
const MOST_UNSETTLED = 8
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000

/** A lane that nothing has happened to. */
export const NEW_LANE: LaneState = {
  waiting: [],
  returning: [],
  urgent: [],
  overtaking: 'no',
  parked: 0,
  controls: 0,
  shipping: false,
  unsettled: 0,
  rest: undefined,
  pauseMs: FIRST_PAUSE_MS,
  stopped: false,
}

/** See the table at {@link LaneState}. */
export function laneStep(lane: LaneState, event: LaneEvent, around: Surroundings): LaneState {
  const next = after(lane, event, around)
  return canMove(next, around) ? takeBack(next) : withdraw(next)
}

/** Whether an offered job is taken; one that is not must be parked. */
export function takesOffer(lane: LaneState, held: Held, around: Surroundings): boolean {
  if (lane.stopped) return false
  if (!around.ready) return isControl(held.name)
  const olderElsewhere = lane.parked > 0 || lane.shipping || lane.returning.length > 0
  return !olderElsewhere && lane.waiting.length < around.limit
}

/** The job to start next, unless something must happen before. */
export function nextToStart(lane: LaneState, around: Surroundings): Held | undefined {
  const [held] = lane.waiting
  if (held === undefined || !canMove(lane, around) || lane.overtaking !== 'no' || lane.rest !== undefined)
    return undefined
  if (lane.unsettled >= MOST_UNSETTLED) return undefined
  // A DELETE_SESSION removes the receipts of what ran before it, so they must be there.
  return isControl(held.name) && lane.unsettled > 0 ? undefined : held
}

/** What the lane wants back from Redis, if anything. */
export function wantedBack(lane: LaneState, around: Surroundings): Pick<Refill, 'count' | 'from'> | undefined {
  if (lane.stopped || lane.shipping || lane.parked === 0) return undefined
  if (!around.ready) return lane.controls > 0 ? { count: lane.controls, from: 'controls' } : undefined
  const room = around.limit - lane.waiting.length
  if (lane.returning.length > 0 || room < around.limit / 2) return undefined
  return { count: Math.min(lane.parked, Math.max(1, room)), from: 'head' }
}

/** Whether jobs of the lane may have to be moved between here and Redis. */
export function isDue(lane: LaneState, around: Surroundings): boolean {
  if (!canMove(lane, around)) return lane.returning.length > 0 || lane.controls > 0
  return lane.waiting.length === 0 && lane.overtaking === 'no' && lane.rest === undefined
}

/** Whether it is as if nothing had happened to the lane. */
export function isIdle(lane: LaneState): boolean {
  const jobs = lane.waiting.length + lane.returning.length + lane.urgent.length + lane.unsettled + lane.parked
  return jobs === 0 && !lane.shipping && lane.rest === undefined
}

/**
 * The jobs that a connection took down with it, the oldest that had asked WhatsApp for something blamed for that. It runs alone
 * from then on, so that in the end the right one is blamed.
 */
export function blameOldest(interrupted: readonly { held: Held; asked: boolean }[]): Held[] {
  const suspect = interrupted.findIndex(({ asked }) => asked)
  return interrupted.map(({ held }, i) => (i === suspect ? { ...held, closings: held.closings + 1 } : held))
}

function canMove(lane: LaneState, { ready }: Surroundings): boolean {
  return ready && !lane.stopped
}

function after(lane: LaneState, event: LaneEvent, around: Surroundings): LaneState {
  switch (event.type) {
    case 'offered':
      if (!takesOffer(lane, event.held, around)) return { ...lane, shipping: true }
      if (!around.ready) return { ...lane, urgent: [...lane.urgent, event.held] }
      return { ...lane, waiting: [...lane.waiting, event.held] }
    case 'parked':
      return { ...lane, parked: event.jobs, controls: event.controls, shipping: false }
    case 'refilled':
      if (event.from === 'controls') return { ...lane, urgent: [...lane.urgent, ...event.jobs] }
      return { ...lane, waiting: [...lane.waiting, ...event.jobs] }
    case 'started':
      return { ...lane, waiting: lane.waiting.slice(1) }
    case 'ended':
      return { ...lane, unsettled: lane.unsettled + 1, pauseMs: FIRST_PAUSE_MS }
    case 'settled':
      return { ...lane, unsettled: lane.unsettled - 1 }
    case 'interrupted':
      return interrupted(lane, event.jobs, around)
    case 'overtakes':
      return { ...lane, overtaking: 'runs' }
    case 'overtook':
      if (event.again) return { ...lane, overtaking: 'rests', rest: { ms: lane.pauseMs } }
      return { ...lane, overtaking: 'no', urgent: lane.urgent.slice(1) }
    case 'paused':
      return { ...lane, rest: { ms: event.ms } }
    case 'rested':
      return { ...lane, rest: undefined, overtaking: lane.overtaking === 'rests' ? 'no' : lane.overtaking }
    case 'shipped':
      return { ...lane, returning: [], shipping: true }
    case 'stopped':
      return { ...lane, stopped: true }
    case 'looked':
    default:
      return lane
  }
}

function interrupted(lane: LaneState, jobs: readonly Held[], around: Surroundings): LaneState {
  if (!canMove(lane, around)) return { ...lane, returning: [...jobs, ...lane.returning] }
  // The session says that it is ready, and yet they could not run: at once again would be a hot loop.
  const waiting = [...jobs, ...lane.waiting]
  return { ...lane, waiting, rest: { ms: lane.pauseMs }, pauseMs: Math.min(lane.pauseMs * 2, LONGEST_PAUSE_MS) }
}

/** A lane that cannot move keeps nothing in memory but what runs, and what overtakes. */
function withdraw(lane: LaneState): LaneState {
  const overtakes = (held: Held): boolean => !lane.stopped && isControl(held.name)
  const returning = [...lane.returning, ...lane.waiting.filter(held => !overtakes(held))]
  const urgent = [...lane.urgent, ...lane.waiting.filter(overtakes)]
  const rest = lane.overtaking === 'rests' ? lane.rest : undefined
  if (!lane.stopped) return { ...lane, waiting: [], rest, urgent, returning }
  // One that runs is not for Redis yet.
  const running = lane.overtaking === 'runs' ? 1 : 0
  return {
    ...lane,
    waiting: [],
    rest: undefined,
    overtaking: running === 1 ? 'runs' : 'no',
    urgent: urgent.slice(0, running),
    returning: [...urgent.slice(running), ...returning],
  }
}

/** A lane that can move does not send away what it had no time to send. */
function takeBack(lane: LaneState): LaneState {
  if (lane.returning.length === 0 || lane.shipping) return lane
  return { ...lane, waiting: [...lane.returning, ...lane.waiting], returning: [] }
}
