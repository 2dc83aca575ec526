import type { SessionState } from '../../shared/session.ts'
import type { Disconnect } from '../whatsapp/disconnect.ts'

/**
 * The life of a session.
 *
 * | in                        | when                            | next       | action                                 |
 * | ------------------------- | ------------------------------- | ---------- | -------------------------------------- |
 * | stopped, replaced, logged_out, backoff | started, linked    | connecting | connect                                |
 * | stopped, replaced, logged_out, backoff | started, not linked | pairing   | connect                                |
 * | pairing                   | started again with a phone number | pairing  | connect anew, for a pairing code       |
 * | pairing, connecting, open | started                         | as it was  | nothing                                |
 * | pairing                   | a QR or a pairing code came     | pairing    | show it                                |
 * | pairing                   | the phone accepted              | connecting | nothing; WhatsApp closes with 515 next |
 * | pairing, connecting       | opened                          | open       | nothing                                |
 * | pairing, connecting, open | closed, 515, the first in a row | connecting | connect                                |
 * | pairing, connecting, open | closed by us, to have what waits at WhatsApp | connecting | connect            |
 * | pairing, connecting, open | closed, back off                | backoff    | wait, longer each time                 |
 * | pairing, connecting, open | closed, 405                     | backoff    | wait a minute, up to an hour in the end |
 * | pairing, connecting, open | closed, 402                     | backoff    | wait until the ban ends                |
 * | pairing, connecting, open | closed, 440, not often          | backoff    | wait                                   |
 * | pairing, connecting, open | closed, 440, again and again    | replaced   | rest                                   |
 * | pairing, connecting, open | closed, QR codes spent, or refused for good | stopped | rest                          |
 * | pairing, connecting, open | closed, 401                     | logged_out | forget                                 |
 * | any                       | the credentials cannot be read  | stopped    | keep                                   |
 * | any                       | stopped                         | stopped    | rest                                   |
 *
 * `connecting` says that a socket is made for a linked session, `pairing` for one that is not. In `backoff` there is
 * no socket; when its wait ends, it is started again. An input that is not in the table changes nothing.
 */
export interface Life {
  state: SessionState
  /** Connections that failed or ended early, in a row: what makes the next wait longer. */
  failures: number
  /** Times in a row that another socket took the session away. */
  evictions: number
}

/** What can happen to a session. */
export type Input =
  | { type: 'started'; linked: boolean; anew?: boolean }
  | { type: 'shown' }
  | { type: 'accepted' }
  | { type: 'opened' }
  /** `openMs` is how long the connection had been open, 0 if it never was. */
  | { type: 'closed'; end: Disconnect; openMs: number }
  | { type: 'unreadable' }
  | { type: 'stopped' }

/**
 * What to do next. `wait`: start again after a pause, see {@link pauseMs}. `rest`: no longer among the started.
 * `keep`: no socket, but tried again when the worker restarts. `forget`: rest, and remove the credentials.
 */
export type Action = 'connect' | 'wait' | 'rest' | 'keep' | 'forget' | 'nothing'

/** The outcome of a transition. `known` is false for an input that means nothing in this state. */
export interface Step {
  life: Life
  action: Action
  known: boolean
}

/** A connection that held this long is sound: the next failure starts a new row. */
const SOUND_MS = 60_000
/** Whoever takes the session back within this time competes with us. */
const COMPETING_MS = 600_000
/** So often we take the session back before we leave it to the other. */
const MAX_EVICTIONS = 3

/** A session that nobody has started. */
export const UNSTARTED: Life = { state: 'stopped', failures: 0, evictions: 0 }

/** See the table at {@link Life}. */
export function transition(life: Life, input: Input): Step {
  switch (input.type) {
    case 'started':
      return started(life, input)
    case 'shown':
      return life.state === 'pairing' ? step(life, 'nothing') : ignored(life)
    case 'accepted':
      return life.state === 'pairing' ? step({ ...life, state: 'connecting', failures: 0 }, 'nothing') : ignored(life)
    case 'opened':
      return hasSocket(life.state) && life.state !== 'open'
        ? step({ ...life, state: 'open' }, 'nothing')
        : ignored(life)
    case 'closed':
      return hasSocket(life.state) ? closed(life, input.end, input.openMs) : ignored(life)
    case 'unreadable':
      return step(UNSTARTED, 'keep')
    case 'stopped':
      break
  }
  return step(UNSTARTED, 'rest')
}

function started(life: Life, { linked, anew = false }: Extract<Input, { type: 'started' }>): Step {
  if (hasSocket(life.state) && !(anew && life.state === 'pairing')) return ignored(life)
  // A wait that was cut short is no success: its row goes on.
  const row = life.state === 'backoff' ? life : UNSTARTED
  return step({ ...row, state: linked ? 'connecting' : 'pairing' }, 'connect')
}

function closed(before: Life, { policy }: Disconnect, openMs: number): Step {
  const failures = openMs >= SOUND_MS ? 1 : before.failures + 1
  const evictions = policy === 'replaced' ? (openMs >= COMPETING_MS ? 1 : before.evictions + 1) : before.evictions
  const life = { ...before, failures, evictions }
  switch (policy) {
    case 'resume':
      return step({ ...before, state: 'connecting' }, 'connect')
    case 'now':
      // A server that asks for a restart at every connection must not be asked again at full speed.
      if (failures === 1) return step({ ...life, state: 'connecting' }, 'connect')
      break
    case 'replaced':
      if (evictions > MAX_EVICTIONS) return step({ ...life, state: 'replaced' }, 'rest')
      break
    case 'rest':
    case 'pairing_ended':
      return step({ ...life, state: 'stopped' }, 'rest')
    case 'log_out':
      return step({ ...life, state: 'logged_out' }, 'forget')
    case 'backoff':
    case 'slow':
    case 'outdated':
    case 'wait':
      break
  }
  return step({ ...life, state: 'backoff' }, 'wait')
}

/** Bounds of the wait between connections. */
export interface Pace {
  baseMs: number
  capMs: number
}

/** WhatsApp's servers are asked at most once a second at first and once a minute in the end. */
export const PACE: Pace = { baseMs: 1000, capMs: 60_000 }

/**
 * How long to wait before the next connection, in ms: full jitter, so that the sessions of a worker that lost its
 * network do not come back in one moment. `random` is in [0, 1).
 */
export function pauseMs({ failures }: Life, end: Disconnect, random: number, { baseMs, capMs }: Pace = PACE): number {
  if (end.waitMs !== undefined) return end.waitMs
  if (end.policy === 'slow') return capMs
  // A minute is time to look the current version up. If that is refused, too, it takes a person.
  if (end.policy === 'outdated') return capMs * 2 ** Math.min(failures - 1, 6)
  return random * Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 30))
}

/** Whether the session has a socket, or is about to: whether it is on its way to open or there. */
export function hasSocket(state: SessionState): boolean {
  return state === 'pairing' || state === 'connecting' || state === 'open'
}

/** Whether nothing but START_SESSION changes the state any more. */
export function isFinal(state: SessionState): boolean {
  return state === 'stopped' || state === 'replaced' || state === 'logged_out'
}

function step(life: Life, action: Action): Step {
  return { life, action, known: true }
}

function ignored(life: Life): Step {
  return { life, action: 'nothing', known: false }
}
