import type { Refill } from '../bullmq/fetch.ts'
import type { Held } from '../read.ts'
import { ALONE, type Turn } from './turn.ts'
import { createFlights } from './flights.ts'
import {
  blameOldest,
  isDue,
  isIdle,
  laneStep,
  NEW_LANE,
  nextToStart,
  takesOffer,
  wantedBack,
  type LaneEvent,
} from './state.ts'

/** What a lane needs of its surroundings. */
export interface LaneDeps {
  sessionId: string
  /** Whether a job of the session can run now. */
  ready(): boolean
  /** How many jobs the lane may hold in memory now. */
  limit(): number
  /** How long to wait before the next job starts, in ms. */
  pause(held: Held): number
  /**
   * Runs a job and starts to settle it. `again`: its session went away under it and it keeps its place. `settled`
   * resolves when Redis knows how it ended. Never rejects.
   */
  perform(held: Held, turn: Turn): Promise<'again' | { settled: Promise<void> }>
  /** Something may be wanted: a refill, or a return. */
  changed(): void
}

/** One session's jobs, in order. */
export interface Lane {
  /** Takes a job from the queue. False: it must be parked behind the lane's others in Redis. */
  offer(held: Held): boolean
  /** Looks at `ready` again. */
  move(): void
  /** What Redis holds of the lane now; every park, refill and fetch tells it. */
  parkedIs(jobs: number, controls: number): void
  /** Jobs that came back from Redis. */
  refilled(from: Refill['from'], jobs: readonly Held[]): void
  /** What the lane wants back from Redis, if anything. */
  wanted(): Refill | undefined
  /** Jobs to be parked in front of the lane's others in Redis, oldest first. They are not the lane's any more. */
  leaving(): Held[]
  /** Starts nothing more. Everything that is not running leaves. */
  stop(): void
  readonly running: boolean
  readonly parked: number
  readonly empty: boolean
}

/** See {@link Lane}, and `LaneState` for what it does when. This is the part that runs jobs and keeps time. */
export function createLane(deps: LaneDeps): Lane {
  const flights = createFlights()
  let lane = NEW_LANE
  let timer: NodeJS.Timeout | undefined

  const around = () => ({ ready: deps.ready(), limit: deps.limit() })

  /** All events before anything starts: a job that must run again is back in its place before a newer one can run. */
  function happen(...events: LaneEvent[]): void {
    const { rest } = lane
    for (const event of events) lane = laneStep(lane, event, around())
    if (lane.rest !== rest) keepTime()
    if (lane.urgent.length > 0 && lane.overtaking === 'no') void overtake()
    else startWaiting()
    if (isDue(lane, around())) deps.changed()
  }

  function keepTime(): void {
    clearTimeout(timer)
    timer = lane.rest && setTimeout(() => happen({ type: 'rested' }), lane.rest.ms)
  }

  function startWaiting(): void {
    for (let next = nextToStart(lane, around()); next !== undefined; next = nextToStart(lane, around())) {
      if (!flights.mayStart(next)) return
      const ms = deps.pause(next)
      if (ms > 0) return happen({ type: 'paused', ms })
      lane = laneStep(lane, { type: 'started' }, around())
      void run(next)
    }
  }

  async function run(held: Held): Promise<void> {
    const flight = flights.start(held)
    const outcome = await deps.perform(held, flight.turn)
    const interrupted = flight.end(outcome === 'again')
    const jobs = lane.stopped ? interrupted.map(({ held: job }) => job) : blameOldest(interrupted)
    const events: LaneEvent[] = []
    if (outcome !== 'again') events.push({ type: 'ended' })
    if (jobs.length > 0) events.push({ type: 'interrupted', jobs })
    happen(...events)
    if (outcome === 'again') return
    await outcome.settled
    happen({ type: 'settled' })
  }

  async function overtake(): Promise<void> {
    const [held] = lane.urgent
    if (held === undefined) return
    happen({ type: 'overtakes' })
    const outcome = await deps.perform(held, ALONE)
    if (outcome !== 'again') await outcome.settled
    happen({ type: 'overtook', again: outcome === 'again' })
  }

  return {
    offer(held) {
      const taken = takesOffer(lane, held, around())
      happen({ type: 'offered', held })
      return taken
    },
    move: () => happen({ type: 'looked' }),
    parkedIs: (jobs, controls) => happen({ type: 'parked', jobs, controls }),
    refilled: (from, jobs) => happen({ type: 'refilled', from, jobs }),
    wanted() {
      const wanted = wantedBack(lane, around())
      return wanted && { sessionId: deps.sessionId, ...wanted }
    },
    leaving() {
      const { returning } = lane
      if (returning.length > 0) happen({ type: 'shipped' })
      return [...returning]
    },
    stop() {
      flights.halt()
      happen({ type: 'stopped' })
    },
    get running() {
      return !flights.landed || lane.overtaking === 'runs' || lane.unsettled > 0
    },
    get parked() {
      return lane.parked
    },
    get empty() {
      return flights.landed && isIdle(lane)
    },
  }
}
