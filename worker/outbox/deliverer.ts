import { once } from 'node:events'
import { FencedError } from '../redis/fenced.ts'
import type { Core } from '../core.ts'
import type { Fence } from '../ownership/fence.ts'
import type { LocalOutbox } from './append.ts'
import type { Attempt } from './endpoint.ts'
import type { Gate } from './gate.ts'
import type { Budget } from './budget.ts'
import { createRounds, type Rest, type Rounds } from './rounds.ts'
import { RETRY_POLICY, type RetryPolicy } from './schedule.ts'
import { createStore, type Backlog, type ParkedEvent, type Retention } from './store.ts'
import { takeTurn, type AttemptListener, type TurnDeps } from './turn.ts'
import { MOST_ROOM, type Window } from './window.ts'

/** How long delivered events can be replayed, unless settings say otherwise. */
export const RETENTION: Retention = { count: 1000, ageMs: 24 * 60 * 60 * 1000, bytes: 8 * 1024 * 1024 }
/** What the window allows at most: more turns would only wait for it. */
const CONCURRENCY = MOST_ROOM
/** Part of the 2 s in which a partition is handed over; the next owner repeats what was cut, under the same id. */
const DRAIN_MS = 500
/** A session whose keys Redis refuses to work with is looked at again after this long. */
const DEFECT_PAUSE_MS = 60_000

/** What a partition's deliverer is made of. */
export interface DelivererDeps extends Core {
  fence: Fence
  outbox: LocalOutbox
  attempt: Attempt
  /** One of each per process: every partition posts to the same endpoint. */
  gate: Gate
  window: Window
  budget: Budget
  policy?: RetryPolicy
  retention?: Retention
  /** Sessions that are delivered for at the same time. Default 64. */
  concurrency?: number
  /** In [0, 1). */
  random?: () => number
  onAttempt?: AttemptListener
  /** Told when an event is given up; a person should look at it. */
  onParked?: () => void
}

/** Delivers the events of one owned partition, and what a person can do about them. */
export interface Deliverer {
  name: string
  /**
   * Delivers until the signal aborts (attempts under way get half a second to end) or the lease is lost (they are cut).
   * Resolves when nothing of it is left.
   */
  run(signal: AbortSignal): Promise<void>
  /** What awaits delivery. Costs Redis one command per 200 sessions that wait. */
  backlog(): Promise<Backlog>
  /** Tells of an event that was stored by other means than the outbox. */
  ring(sessionId: string, seq: number): void
  /**
   * Sends the session's events from this seq on again, under their old ids, as far as they are kept. Their number;
   * undefined: the session has never had an event.
   */
  replay(sessionId: string, fromSeq: number): Promise<number | undefined>
  /** The session's events that were given up. */
  parked(sessionId: string): Promise<ParkedEvent[]>
  /**
   * Sends a parked event again, after what waits already, as a new seq with its old id; undefined: it is not parked.
   * The same again right after it answers the same seq and sends nothing more.
   */
  redrive(sessionId: string, seq: number): Promise<number | undefined>
}

/** See {@link Deliverer}. Make one for each fence. */
export function createDeliverer(deps: DelivererDeps): Deliverer {
  const { clock, fence, log, redis, retention = RETENTION } = deps
  const store = createStore({ redis, log, fence, retention, budget: deps.budget })
  let rounds: Rounds | undefined

  return {
    name: `deliverer-${fence.partition}`,

    async run(signal) {
      const ending = new AbortController()
      const cut = new AbortController()
      // Writes wait out an outage of Redis; when we are to end they end too, not only when the lease does.
      const held: Fence = {
        partition: fence.partition,
        epoch: fence.epoch,
        token: fence.token,
        signal: AbortSignal.any([fence.signal, cut.signal]),
        valid: () => fence.valid(),
      }
      const own = runningRounds(deps, held, ending.signal, cut)
      rounds = own
      // Listening comes first: what is appended while the backlog is read is either in it or heard of.
      const unlisten = deps.outbox.listen(fence.partition, (sessionId, seq) => own.ring(sessionId, seq))
      try {
        const ended = aborted(AbortSignal.any([signal, held.signal]))
        // Redis may be away for longer than we are to run.
        const pending = await Promise.race([store.pending(), ended])
        for (const { sessionId, at } of pending ?? []) own.sleep(sessionId, at)
        await ended
      } catch (error) {
        if (!(error instanceof FencedError)) throw error
      } finally {
        unlisten()
        ending.abort()
        const deadline = setTimeout(() => cut.abort(), DRAIN_MS)
        await own.stop()
        clearTimeout(deadline)
      }
    },

    backlog: async () => store.backlog(),
    parked: async sessionId => store.parked(sessionId),
    ring: (sessionId, seq) => rounds?.ring(sessionId, seq),

    async replay(sessionId, fromSeq) {
      const count = await store.replay(sessionId, fromSeq, clock.now())
      if (count !== undefined && count > 0) rounds?.wake(sessionId)
      if (count !== undefined) log.info({ sessionId, fromSeq, count }, 'events replayed')
      return count
    },

    async redrive(sessionId, seq) {
      const newSeq = await store.redrive(sessionId, seq, clock.now())
      if (newSeq === undefined) return undefined
      rounds?.ring(sessionId, newSeq)
      log.info({ sessionId, seq, newSeq }, 'event redriven')
      return newSeq
    },
  }
}

/** The rounds of one run. A turn that finds the lease lost cuts everything. */
function runningRounds(deps: DelivererDeps, fence: Fence, ending: AbortSignal, cut: AbortController): Rounds {
  const { clock, gate, log, redis, retention = RETENTION, concurrency = CONCURRENCY } = deps
  const turnDeps: TurnDeps = {
    log,
    clock,
    fence,
    gate,
    window: deps.window,
    store: createStore({ redis, log, fence, retention, budget: deps.budget }),
    attempt: deps.attempt,
    policy: deps.policy ?? RETRY_POLICY,
    random: deps.random ?? Math.random,
    onAttempt: deps.onAttempt ?? (() => {}),
    onParked: deps.onParked ?? (() => {}),
    cut: fence.signal,
    ending,
  }
  const turn = async (sessionId: string): Promise<Rest> => {
    try {
      return await takeTurn(turnDeps, sessionId)
    } catch (error) {
      if (error instanceof FencedError) cut.abort()
      else log.error({ err: error, sessionId }, 'the outbox of a session is unreadable')
      return { kind: 'sleep', until: clock.now() + DEFECT_PAUSE_MS, asked: true }
    }
  }
  return createRounds({ clock, gate, concurrency, turn })
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await once(signal, 'abort')
}
