import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createGate, type Gate } from './gate.ts'
import { createRounds, type Rest, type Rounds } from './rounds.ts'
import { log, testClock } from '../../dev/testing/outbox.ts'

let clock: ReturnType<typeof testClock>
let gate: Gate
let rounds: Rounds
/** Turns that were taken, and how to end each. */
let turns: { sessionId: string; end: (rest: Rest) => void }[]

beforeEach(() => {
  clock = testClock()
  gate = createGate({ log, threshold: 1, pauses: [10], random: () => 0 })
  turns = []
  const turn = async (sessionId: string) => new Promise<Rest>(end => turns.push({ sessionId, end }))
  rounds = createRounds({ clock, gate, concurrency: 2, turn })
})

// Or the sleepers of this test would take turns in the next.
afterEach(() => {
  void rounds.stop()
})

const names = () => turns.map(turn => turn.sessionId)
/** Lets everything run that needs no time. */
const tick = async () => new Promise<void>(resolve => setImmediate(resolve))

test('gives turns first come, first served, so many at once and one a session', async () => {
  for (const id of ['a', 'b', 'c', 'a']) rounds.ring(id, 1)
  expect(names()).toEqual(['a', 'b'])
  turns[1]?.end({ kind: 'again' })
  await tick()
  expect(names()).toEqual(['a', 'b', 'c'])
  turns[2]?.end({ kind: 'done', seq: 1 })
  await tick()
  expect(names()).toEqual(['a', 'b', 'c', 'b'])
})

test('gives another turn when more came than the turn knew of', async () => {
  rounds.ring('a', 1)
  rounds.ring('a', 2)
  turns[0]?.end({ kind: 'done', seq: 1 })
  await tick()
  expect(names()).toEqual(['a', 'a'])
  turns[1]?.end({ kind: 'done', seq: 2 })
  await tick()
  expect(names()).toEqual(['a', 'a'])
})

test('gives another turn when an outbox that was deleted counts from 1 again', async () => {
  rounds.ring('a', 5)
  rounds.ring('a', 1)
  turns[0]?.end({ kind: 'done', seq: 5 })
  await tick()
  expect(names()).toEqual(['a', 'a'])
  turns[1]?.end({ kind: 'done', seq: 1 })
  await tick()
  expect(names()).toEqual(['a', 'a'])
})

test('gives another turn to a session that was woken meanwhile, whatever came of it', async () => {
  for (const rest of [
    { kind: 'done', seq: 1 },
    { kind: 'sleep', until: Infinity, asked: true },
  ] as const) {
    turns.length = 0
    rounds.wake('a')
    rounds.wake('a')
    turns[0]?.end(rest)
    await tick()
    expect(names()).toEqual(['a', 'a'])
    turns[1]?.end({ kind: 'done', seq: 1 })
    await tick()
    expect(names()).toEqual(['a', 'a'])
  }
})

test('lets a session sleep, whatever comes, until its time or until it is woken', async () => {
  rounds.sleep('a', clock.now() + 60_000)
  rounds.sleep('b', clock.now() + 20)
  rounds.ring('a', 5)
  rounds.sleep('a', 0)
  await vi.waitFor(() => expect(names()).toEqual(['b']))
  rounds.wake('a')
  expect(names()).toEqual(['b', 'a'])
})

test('wakes all but those whom the receiver asked to wait when the endpoint is back', async () => {
  rounds.ring('a', 1)
  rounds.ring('b', 1)
  turns[0]?.end({ kind: 'sleep', until: clock.now() + 60_000, asked: false })
  turns[1]?.end({ kind: 'sleep', until: clock.now() + 60_000, asked: true })
  await tick()
  gate.report('a', { kind: 'retry', reason: 'HTTP 500' }, clock.now() + 60_000)
  expect(names()).toEqual(['a', 'b'])
  gate.report('c', { kind: 'delivered', status: 200 }, clock.now())
  expect(names()).toEqual(['a', 'b', 'a'])
})

test('probes with one session after the other, longest sleeper first', async () => {
  for (const id of ['a', 'b', 'c']) rounds.sleep(id, clock.now() + 60_000)
  gate.report('x', { kind: 'retry', reason: 'HTTP 500' }, clock.now())
  for (const expected of [['a'], ['a', 'b'], ['a', 'b', 'c'], ['a', 'b', 'c', 'a']]) {
    await vi.waitFor(() => expect(names()).toEqual(expected))
    gate.report('x', { kind: 'retry', reason: 'HTTP 500' }, clock.now())
    turns.at(-1)?.end({ kind: 'sleep', until: clock.now() + 60_000, asked: false })
    await tick()
  }
})

test('stops: starts nothing, and waits for what is under way', async () => {
  rounds.ring('a', 1)
  rounds.sleep('b', clock.now() + 10)
  let stopped = false
  const stop = rounds.stop().then(() => (stopped = true))
  rounds.ring('c', 1)
  rounds.wake('b')
  await tick()
  expect(stopped).toBe(false)
  turns[0]?.end({ kind: 'again' })
  await stop
  expect(names()).toEqual(['a'])
})
