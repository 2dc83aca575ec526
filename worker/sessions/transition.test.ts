import { describe, expect, it } from 'vitest'
import { SESSION_STATES, type SessionState } from '../../shared/session.ts'
import type { Disconnect, Policy } from '../whatsapp/disconnect.ts'
import { isFinal, pauseMs, transition, UNSTARTED, type Action, type Input, type Life } from './transition.ts'

const end = (policy: Policy): Disconnect => ({ statusCode: 0, reason: 'unknown', policy })
const closed = (policy: Policy, openMs = 0): Input => ({ type: 'closed', end: end(policy), openMs })
const life = (state: SessionState, rest: Partial<Life> = {}): Life => ({ ...UNSTARTED, state, ...rest })
const started = (linked: boolean): Input => ({ type: 'started', linked })

const ALIVE = ['pairing', 'connecting', 'open'] as const
const REST = ['stopped', 'replaced', 'logged_out', 'backoff'] as const

const rows = (states: readonly SessionState[], input: Input, next: SessionState, action: Action) =>
  states.map(state => [state, input, next, action] as const)

describe('the life of a session', () => {
  it.each([
    ...rows(REST, started(true), 'connecting', 'connect'),
    ...rows(REST, started(false), 'pairing', 'connect'),
    ...rows(['pairing'], { type: 'started', linked: false, anew: true }, 'pairing', 'connect'),
    ...rows(['pairing'], { type: 'shown' }, 'pairing', 'nothing'),
    ...rows(['pairing'], { type: 'accepted' }, 'connecting', 'nothing'),
    ...rows(['pairing', 'connecting'], { type: 'opened' }, 'open', 'nothing'),
    ...rows(ALIVE, closed('now'), 'connecting', 'connect'),
    ...rows(ALIVE, closed('resume'), 'connecting', 'connect'),
    ...rows(ALIVE, closed('backoff'), 'backoff', 'wait'),
    ...rows(ALIVE, closed('slow'), 'backoff', 'wait'),
    ...rows(ALIVE, closed('wait'), 'backoff', 'wait'),
    ...rows(ALIVE, closed('replaced'), 'backoff', 'wait'),
    ...rows(ALIVE, closed('rest'), 'stopped', 'rest'),
    ...rows(ALIVE, closed('pairing_ended'), 'stopped', 'rest'),
    ...rows(ALIVE, closed('log_out'), 'logged_out', 'forget'),
    ...rows(SESSION_STATES, { type: 'unreadable' }, 'stopped', 'keep'),
    ...rows(SESSION_STATES, { type: 'stopped' }, 'stopped', 'rest'),
  ])('in %s, %j leads to %s and %s', (state, input, next, action) => {
    expect(transition(life(state), input)).toMatchObject({ life: { state: next }, action, known: true })
  })

  it.each([
    ...rows(ALIVE, started(true), 'open', 'nothing'),
    ...rows(['connecting', 'open'], { type: 'started', linked: true, anew: true }, 'open', 'nothing'),
    ...rows(['connecting', 'open', ...REST], { type: 'shown' }, 'open', 'nothing'),
    ...rows(['connecting', 'open', ...REST], { type: 'accepted' }, 'open', 'nothing'),
    ...rows(['open', ...REST], { type: 'opened' }, 'open', 'nothing'),
    ...rows(REST, closed('log_out'), 'open', 'nothing'),
    ...rows(REST, closed('backoff'), 'open', 'nothing'),
  ])('in %s, %j changes nothing', (state, input) => {
    const before = life(state, { failures: 2 })
    expect(transition(before, input)).toEqual({ life: before, action: 'nothing', known: false })
  })

  it('backs off from a server that asks for restart after restart', () => {
    const first = transition(life('connecting'), closed('now'))
    expect(first.action).toBe('connect')
    const second = transition(first.life, closed('now'))
    expect(second).toMatchObject({ action: 'wait', life: { state: 'backoff', failures: 2 } })
  })

  it('connects at once whenever it ended the connection itself to have what waits at WhatsApp, and counts no failure', () => {
    const again = transition(life('open', { failures: 2 }), closed('resume', 10))
    expect(again).toEqual({ life: life('connecting', { failures: 2 }), action: 'connect', known: true })
  })

  it('leaves the session to another client after taking it back three times', () => {
    let now = life('open')
    const actions: Action[] = []
    for (let i = 0; i < 4; i++) {
      const step = transition(now, closed('replaced', 70_000))
      actions.push(step.action)
      now = transition(step.life, started(true)).life
      now = transition(now, { type: 'opened' }).life
    }
    expect(actions).toEqual(['wait', 'wait', 'wait', 'rest'])
  })

  it('begins a new row after a sound connection, not after a short one', () => {
    const tired = life('open', { failures: 5, evictions: 3 })
    expect(transition(tired, closed('backoff', 59_999)).life.failures).toBe(6)
    expect(transition(tired, closed('backoff', 60_000)).life.failures).toBe(1)
    expect(transition(tired, closed('replaced', 600_000)).life).toMatchObject({ state: 'backoff', evictions: 1 })
    expect(transition(life('backoff', { failures: 5 }), started(true)).life.failures).toBe(5)
    expect(transition(life('stopped', { failures: 5 }), started(true)).life.failures).toBe(0)
  })

  it.each([
    [1, 1000],
    [2, 2000],
    [4, 8000],
    [7, 60_000],
    [10_000, 60_000],
  ])('waits at most what %i failures allow, %i ms, with full jitter', (failures, most) => {
    expect(pauseMs(life('backoff', { failures }), end('backoff'), 0)).toBe(0)
    expect(pauseMs(life('backoff', { failures }), end('backoff'), 0.999_999)).toBeCloseTo(most, -1)
  })

  it('waits for the end of a ban, and longest for an operator to raise the version', () => {
    expect(pauseMs(life('backoff', { failures: 1 }), { ...end('wait'), waitMs: 7_200_000 }, 0.5)).toBe(7_200_000)
    expect(pauseMs(life('backoff', { failures: 1 }), end('slow'), 0.5)).toBe(60_000)
    expect(pauseMs(life('backoff', { failures: 1 }), end('outdated'), 0.5)).toBe(60_000)
    expect(pauseMs(life('backoff', { failures: 50 }), end('outdated'), 0.5)).toBe(64 * 60_000)
  })

  it('rests in three states', () => {
    expect(SESSION_STATES.filter(isFinal)).toEqual(['replaced', 'logged_out', 'stopped'])
  })
})
