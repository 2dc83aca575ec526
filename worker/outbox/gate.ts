import type { Logger } from 'pino'
import type { Outcome } from './endpoint.ts'

/**
 * What all deliveries of a process know together about their one endpoint. `up`: everyone may try. `down`: so many
 * sessions failed in a row, or so many connections, that it is the endpoint that fails, not their events; one attempt at
 * a time probes it, with growing pauses up to a minute, so that thousands of sessions do not hammer a receiver that is
 * dead or just coming back, nor sleep for hours after it is.
 * `disabled`: it answered 410; one attempt an hour tells whether it still does, since a 410 may have been a mistake or a
 * deployment, and whoever set the endpoint up again would wait for ever.
 */
export type EndpointState = 'up' | 'down' | 'disabled'

/** See {@link EndpointState}. */
export interface Gate {
  state(): EndpointState
  /** Asks to make one attempt. 0: go, and `report` or `leave` afterwards. Else ms to wait; Infinity: until a change. */
  enter(now: number): number
  /** Tells how the attempt ended. */
  report(sessionId: string, outcome: Outcome, now: number): void
  /** Takes back an `enter` that led to no attempt. */
  leave(): void
  /** Calls back when `enter` may answer otherwise, until the returned function is called. */
  onChange(listener: (state: EndpointState) => void): () => void
}

/** How the gate judges. Pauses in ms. */
export interface GateOptions {
  log: Logger
  /** Sessions, or connections, that must fail with no success between them. */
  threshold?: number
  /** Between probes; the last one repeats. */
  pauses?: readonly number[]
  /** In [0, 1); each pause is shortened by up to a fifth. */
  random?: () => number
}

const PAUSES = [1000, 2000, 5000, 10_000, 30_000, 60_000]
/** Between attempts at an endpoint that answered 410. */
const GONE_MS = 60 * 60_000
/** An endpoint that asks for longer is probed all the same. */
const LONGEST_RETRY_AFTER_MS = 10 * 60_000

const LOG: Record<EndpointState, (log: Logger) => void> = {
  up: log => log.info('the webhook endpoint is up again'),
  down: log => log.error('the webhook endpoint is down: it is probed until it answers'),
  disabled: log => log.error('the webhook endpoint answered 410: it is asked again once an hour'),
}

type Failure = Extract<Outcome, { kind: 'retry' }>

/** Makes the gate of one endpoint. One per process, shared by its deliverers. */
export function createGate(options: GateOptions): Gate {
  const { log, threshold = 8, pauses = PAUSES, random = Math.random } = options
  const listeners = new Set<(state: EndpointState) => void>()
  const failing = new Set<string | symbol>()
  let state: EndpointState = 'up'
  let probing = false
  let probes = 0
  let probeAt = 0

  function change(next: EndpointState): void {
    if (next !== state) LOG[next](log)
    state = next
    for (const listener of listeners) listener(state)
  }

  function fail(sessionId: string, { reason, retryAfterMs = 0 }: Failure, now: number): void {
    if (state === 'up') {
      // One session that fails alone may have a poison event that the receiver answers with an error, or chokes on. A
      // connection that fails does so before any event is looked at.
      failing.add(reason.startsWith('HTTP') || reason === 'TIMEOUT' ? sessionId : Symbol(reason))
      if (failing.size < threshold) return
      failing.clear()
      probes = 0
    } else if (!probing) {
      // It was on its way when the gate closed, and is no news.
      return
    }
    probing = false
    const pause = pauses[Math.min(probes, pauses.length - 1)] ?? 0
    probes++
    probeAt = now + Math.max(pause * (1 - random() / 5), Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS))
    change('down')
  }

  function disable(now: number): void {
    failing.clear()
    probing = false
    probes = 0
    probeAt = now + GONE_MS
    change('disabled')
  }

  return {
    state: () => state,
    enter(now) {
      if (state === 'up') return 0
      if (probing) return Infinity
      if (now < probeAt) return probeAt - now
      probing = true
      return 0
    },
    report(sessionId, outcome, now) {
      if (outcome.kind === 'aborted') return this.leave()
      // It was on its way when the endpoint answered another with 410, and is no news.
      if (state === 'disabled' && !probing) return
      if (outcome.kind === 'gone') return disable(now)
      if (outcome.kind === 'retry') return fail(sessionId, outcome, now)
      failing.clear()
      probing = false
      if (state !== 'up') change('up')
    },
    leave() {
      if (!probing) return
      probing = false
      change(state)
    },
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
