import type { Logger } from 'pino'
import type { Clock } from '../core.ts'
import type { Fence } from '../ownership/fence.ts'
import type { Attempt, Outcome } from './endpoint.ts'
import type { Gate } from './gate.ts'
import type { Rest } from './rounds.ts'
import { nextAttemptAt, type RetryPolicy } from './schedule.ts'
import type { Position, Store, StoredEvent } from './store.ts'
import type { Window } from './window.ts'

/** Most events of one session before the next session has its turn. */
const EVENTS_A_TURN = 16
/** How long to wait while nobody can say whose the lease is. */
const DOUBT_MS = 100

/** Told of every attempt; `seconds` is how long it took. */
export type AttemptListener = (outcome: Outcome, seconds: number) => void

/** What a turn needs. */
export interface TurnDeps {
  log: Logger
  clock: Clock
  fence: Fence
  store: Store
  gate: Gate
  window: Window
  attempt: Attempt
  policy: RetryPolicy
  random: () => number
  onAttempt: AttemptListener
  /** Told when an event is given up. */
  onParked: () => void
  /** Cuts the attempt under way. */
  cut: AbortSignal
  /** Lets it end, and begins no other. */
  ending: AbortSignal
}

/** What came of one event: the next ones, or the end of the turn. */
type Step = { events: StoredEvent[] | undefined } | Rest

/**
 * One session's turn: delivers its events one after the other, in order, from the cursor on. The cursor moves after the
 * receiver's answer and before the next event is sent, so a crash repeats at most the event that was on its way. Comes
 * in with the gate entered. Throws `FencedError`, and what Redis answers that is no outage.
 */
export async function takeTurn(deps: TurnDeps, sessionId: string): Promise<Rest> {
  const { clock, gate, store } = deps
  let entered = true
  try {
    const position = await store.load(sessionId)
    for (let taken = 1; ; taken++) {
      const [event] = position.events
      if (event === undefined) return { kind: 'done', seq: position.cursor }
      // Just thawed, perhaps: either a renewal is on its way, or the signal that the lease is lost.
      if (!deps.fence.valid()) return { kind: 'sleep', until: clock.now() + DOUBT_MS, asked: true }
      entered = false
      const step = await deliver(deps, sessionId, position, event)
      if ('kind' in step) return step
      if (step.events === undefined) return { kind: 'again' }
      Object.assign(position, { cursor: event.seq, attempt: 0, since: 0, events: step.events } satisfies Position)
      if (position.events.length === 0) continue
      if (taken >= EVENTS_A_TURN || deps.ending.aborted || gate.enter(clock.now()) > 0) return { kind: 'again' }
      entered = true
    }
  } finally {
    if (entered) gate.leave()
  }
}

async function deliver(deps: TurnDeps, sessionId: string, position: Position, event: StoredEvent): Promise<Step> {
  const { clock, gate, log, window } = deps
  const { seq, id, body } = event
  if (!(await window.enter(deps.cut))) {
    gate.report(sessionId, { kind: 'aborted' }, clock.now())
    return { kind: 'again' }
  }
  const attempt = position.attempt + 1
  const since = position.attempt === 0 ? clock.now() : position.since
  const start = clock.monotonic()
  const outcome = await deps.attempt({ id, seq, attempt, body }, deps.cut)
  window.leave(outcome, start, clock.monotonic())
  const seconds = (clock.monotonic() - start) / 1000
  const fields = { sessionId, seq, id, attempt, outcome: outcome.kind, ms: Math.round(seconds * 1000) }
  deps.onAttempt(outcome, seconds)
  gate.report(sessionId, outcome, clock.now())
  if (outcome.kind === 'delivered') {
    log.debug({ ...fields, status: outcome.status }, 'event delivered')
    return { events: await move(deps, sessionId, position, event) }
  }
  if (outcome.kind === 'retry') {
    log.warn({ ...fields, reason: outcome.reason }, 'event not delivered')
    return fail(deps, sessionId, position, event, { attempt, since, outcome })
  }
  // Gone or aborted: the event keeps its place. The gate, or our own end, decides when it goes on.
  return { kind: 'again' }
}

/** Moves the cursor over the event; reads on when it was the last of those that were read. */
async function move(deps: TurnDeps, sessionId: string, position: Position, event: StoredEvent, parked?: Parked) {
  const rest = position.events.slice(1)
  const step = { from: position.cursor, to: event, now: deps.clock.now(), read: rest.length === 0, parked }
  const read = await deps.store.settle(sessionId, step)
  return read === undefined || rest.length === 0 ? read : rest
}

type Parked = NonNullable<Parameters<Store['settle']>[1]['parked']>

interface Failed {
  attempt: number
  since: number
  outcome: Extract<Outcome, { kind: 'retry' }>
}

async function fail(
  deps: TurnDeps,
  sessionId: string,
  position: Position,
  event: StoredEvent,
  { attempt, since, outcome }: Failed,
): Promise<Step> {
  const { clock, log, policy, store } = deps
  const { retryAfterMs, reason } = outcome
  const now = clock.now()
  const nextAt = nextAttemptAt(policy, { attempt, firstAttemptAt: since, now, retryAfterMs }, deps.random)
  if (nextAt === undefined) {
    const { id, at, body, seq } = event
    log.error({ sessionId, seq, id, attempt, reason }, 'event parked after too many attempts')
    deps.onParked()
    const parked = { id, at, parkedAt: now, attempts: attempt, reason, body }
    return { events: await move(deps, sessionId, position, event, parked) }
  }
  await store.defer(sessionId, { cursor: position.cursor, attempt, since, nextAt })
  return { kind: 'sleep', until: nextAt, asked: retryAfterMs !== undefined }
}
