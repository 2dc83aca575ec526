import { isControl } from '../control.ts'
import type { Refill } from '../bullmq/fetch.ts'
import type { Held } from '../read.ts'
import { ALONE, type Turn } from '../../types.ts'
import { createFlights, type Interrupted } from './flights.ts'

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

/** Jobs of one lane whose end Redis does not know yet. Awaiting each would cost a round trip a job. */
const MOST_UNSETTLED = 8
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000

/**
 * See {@link Lane}. Jobs stand in three places, oldest first: here (`flights`, then `line`), in Redis (`parked`), in the
 * queue. A job only ever goes to the end that keeps this true, so the session's order holds. START, STOP and DELETE
 * keep to it while the lane can move, and overtake (`urgent`) while it cannot.
 */
export function createLane(deps: LaneDeps): Lane {
  let line: Held[] = []
  let returning: Held[] = []
  const urgent: Held[] = []
  const flights = createFlights()
  let overtaking = false
  let unsettled = 0
  let parked = 0
  let controls = 0
  /** Between sending jobs to Redis and its answer: until then `parked` is too low. */
  let shipping = false
  let stopped = false
  let pauseMs = FIRST_PAUSE_MS
  let timer: NodeJS.Timeout | undefined

  function move() {
    if (stopped || !deps.ready()) return withdraw()
    if (returning.length > 0 && !shipping) {
      line = [...returning, ...line]
      returning = []
    }
    if (overtaking || timer) return
    for (let next = line[0]; next !== undefined; next = line[0]) {
      if (unsettled >= MOST_UNSETTLED || !flights.mayStart(next)) return
      // A DELETE_SESSION removes the receipts of what ran before it, so they must be there.
      if (isControl(next.name) && unsettled > 0) return
      const wait = deps.pause(next)
      if (wait > 0) return rest(wait)
      line.shift()
      void run(next)
    }
    deps.changed()
  }

  /** The lane cannot move: nothing is held in memory for it but what runs. */
  function withdraw() {
    clearTimeout(timer)
    timer = undefined
    const overtakes = (held: Held) => !stopped && isControl(held.name)
    urgent.push(...line.filter(overtakes))
    returning.push(...line.filter(held => !overtakes(held)))
    line = []
    if (stopped) returning.unshift(...urgent.splice(0))
    void overtake()
    if (returning.length > 0 || controls > 0) deps.changed()
  }

  async function run(held: Held) {
    const flight = flights.start(held)
    const outcome = await deps.perform(held, flight.turn)
    const interrupted = flight.end(outcome === 'again')
    if (outcome !== 'again') settle(outcome.settled)
    if (interrupted.length > 0) again(interrupted)
    move()
  }

  function again(interrupted: readonly Interrupted[]) {
    if (stopped) {
      returning.unshift(...interrupted.map(({ held }) => held))
      return
    }
    const jobs = blamed(interrupted)
    if (!deps.ready()) {
      returning.unshift(...jobs)
      return
    }
    // The session says that it is ready, and yet they could not run: not at once again, or this would be a hot loop.
    line.unshift(...jobs)
    rest(pauseMs)
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
  }

  /**
   * Several may have been under way when the connection ended, of which one may be why. The oldest is blamed, and then
   * runs alone, so that in the end the right one is.
   */
  function blamed(interrupted: readonly Interrupted[]): Held[] {
    const suspect = interrupted.findIndex(({ asked }) => asked)
    return interrupted.map(({ held }, i) => (i === suspect ? { ...held, closings: held.closings + 1 } : held))
  }

  function settle(settled: Promise<void>) {
    pauseMs = FIRST_PAUSE_MS
    unsettled++
    const done = async () => {
      await settled
      unsettled--
      move()
    }
    void done()
  }

  function rest(ms: number) {
    timer = setTimeout(() => {
      timer = undefined
      move()
    }, ms)
  }

  async function overtake() {
    if (overtaking || urgent.length === 0) return
    overtaking = true
    for (let held = urgent.shift(); held !== undefined; held = urgent.shift()) {
      const outcome = await deps.perform(held, ALONE)
      if (outcome !== 'again') await outcome.settled
      else if (stopped) returning.unshift(held)
      else {
        urgent.unshift(held)
        await new Promise(resolve => setTimeout(resolve, pauseMs))
      }
    }
    overtaking = false
    move()
  }

  return {
    offer(held) {
      if (stopped) return refuse()
      if (isControl(held.name) && !deps.ready()) {
        urgent.push(held)
        void overtake()
        return true
      }
      if (parked > 0 || shipping || returning.length > 0 || !deps.ready() || line.length >= deps.limit())
        return refuse()
      line.push(held)
      move()
      return true
    },
    move,
    parkedIs(jobs, urgentJobs) {
      parked = jobs
      controls = urgentJobs
      shipping = false
      move()
    },
    refilled(from, jobs) {
      if (from === 'controls') urgent.push(...jobs)
      else line.push(...jobs)
      if (urgent.length > 0) void overtake()
      move()
    },
    wanted() {
      const { sessionId } = deps
      if (stopped || shipping || parked === 0) return undefined
      if (!deps.ready()) return controls > 0 ? { sessionId, count: controls, from: 'controls' } : undefined
      const room = deps.limit() - line.length
      if (returning.length > 0 || room < deps.limit() / 2) return undefined
      return { sessionId, count: Math.min(parked, Math.max(1, room)), from: 'head' }
    },
    leaving() {
      if (returning.length > 0) shipping = true
      return returning.splice(0)
    },
    stop() {
      stopped = true
      flights.halt()
      withdraw()
    },
    get running() {
      return !flights.landed || overtaking || unsettled > 0
    },
    get parked() {
      return parked
    },
    get empty() {
      return (
        flights.landed &&
        !overtaking &&
        unsettled + line.length + returning.length + parked === 0 &&
        !shipping &&
        !timer
      )
    },
  }

  function refuse() {
    shipping = true
    return false
  }
}
