import { beforeEach, describe, expect, test } from 'vitest'
import { createGate, type EndpointState, type Gate } from './gate.ts'
import { log } from '../../dev/testing/outbox.ts'

const failed = { kind: 'retry', reason: 'HTTP 500' } as const
const refused = { kind: 'retry', reason: 'ECONNREFUSED' } as const
const delivered = { kind: 'delivered', status: 200 } as const

let gate: Gate
let states: EndpointState[]

beforeEach(() => {
  gate = createGate({ log, threshold: 3, pauses: [1000, 5000], random: () => 0 })
  states = []
  gate.onChange(state => states.push(state))
})

function close(now = 0): void {
  for (const id of ['a', 'b', 'c']) gate.report(id, failed, now)
}

describe('the gate', () => {
  test('closes when several sessions fail in a row', () => {
    gate.report('a', failed, 0)
    gate.report('b', failed, 0)
    gate.report('d', delivered, 0)
    gate.report('c', failed, 0)
    expect(gate.state()).toBe('up')
    close()
    expect(gate.state()).toBe('down')
    expect(gate.enter(0)).toBe(1000)
  })

  test('stays open while one session fails alone, unless not even its connection comes about', () => {
    for (let i = 0; i < 10; i++) gate.report('a', failed, 0)
    for (let i = 0; i < 10; i++) gate.report('a', { kind: 'retry', reason: 'TIMEOUT' }, 0)
    expect(gate.state()).toBe('up')
    for (let i = 0; i < 3; i++) gate.report('a', refused, 0)
    expect(gate.state()).toBe('down')
  })

  test('lets one probe through at a time, with growing pauses', () => {
    close()
    expect(gate.enter(999)).toBe(1)
    expect(gate.enter(1000)).toBe(0)
    expect(gate.enter(1000)).toBe(Infinity)
    gate.report('a', failed, 2000)
    expect(gate.enter(2000)).toBe(5000)
    expect(gate.enter(7000)).toBe(0)
    gate.report('b', failed, 7000)
    expect(gate.enter(7000)).toBe(5000)
  })

  test('opens at the first success, and forgets the failures', () => {
    close()
    gate.enter(1000)
    gate.report('a', delivered, 1000)
    expect(gate.state()).toBe('up')
    expect(gate.enter(1000)).toBe(0)
    gate.report('a', failed, 1000)
    gate.report('b', failed, 1000)
    expect(gate.state()).toBe('up')
    expect(states).toEqual(['down', 'up'])
  })

  test('takes a failure that was under way when it closed for no probe', () => {
    close()
    gate.report('d', failed, 500)
    expect(gate.enter(500)).toBe(500)
  })

  test('gives the place of a probe that came to nothing to the next', () => {
    close()
    expect(gate.enter(1000)).toBe(0)
    gate.leave()
    expect(gate.enter(1000)).toBe(0)
    gate.report('a', { kind: 'aborted' }, 1000)
    expect(gate.enter(1000)).toBe(0)
  })

  test('waits with the next probe as long as the endpoint asks, up to 10 minutes', () => {
    close()
    gate.enter(1000)
    gate.report('a', { ...failed, retryAfterMs: 60_000 }, 1000)
    expect(gate.enter(1000)).toBe(60_000)
    gate.enter(61_000)
    gate.report('a', { ...failed, retryAfterMs: 1e12 }, 61_000)
    expect(gate.enter(61_000)).toBe(600_000)
  })

  test('is shut by 410, and asks again once an hour', () => {
    const hour = 3_600_000
    gate.report('a', { kind: 'gone' }, 0)
    gate.report('b', delivered, 0)
    gate.report('c', failed, 0)
    expect(gate.state()).toBe('disabled')
    expect(gate.enter(1)).toBe(hour - 1)
    expect(gate.enter(hour)).toBe(0)
    expect(gate.enter(hour)).toBe(Infinity)
    gate.report('a', { kind: 'gone' }, hour)
    expect(gate.enter(hour)).toBe(hour)
    expect(gate.enter(2 * hour)).toBe(0)
    gate.report('a', delivered, 2 * hour)
    expect(gate.state()).toBe('up')
    expect(states).toEqual(['disabled', 'disabled', 'up'])
  })
})
