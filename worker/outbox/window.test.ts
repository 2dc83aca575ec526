import { setImmediate as settled } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { EndpointState } from './gate.ts'
import { createWindow, FIRST_ROOM, MOST_ROOM, type Window } from './window.ts'

const delivered = { kind: 'delivered', status: 200 } as const
const late = { kind: 'retry', reason: 'TIMEOUT' } as const
const never = new AbortController().signal

function gate() {
  let state: EndpointState = 'up'
  let listener: (state: EndpointState) => void = () => {}
  return {
    state: () => state,
    onChange(given: typeof listener) {
      listener = given
      return () => undefined
    },
    becomes(next: EndpointState) {
      state = next
      listener(next)
    },
  }
}

/** Attempts that were let in, and those that wait. */
async function enter(window: Window, count: number, signal = never) {
  const answers: boolean[] = []
  for (let i = 0; i < count; i++) void window.enter(signal).then(answer => answers.push(answer))
  await settled()
  return answers
}

describe('the window of an endpoint', () => {
  test('lets four in at first, one more for each answer, and 64 at most', async () => {
    const window = createWindow(gate())
    const answers = await enter(window, 500)
    expect(answers).toHaveLength(FIRST_ROOM)
    let sent = 0
    while (answers.length - sent < MOST_ROOM && sent < 400) {
      window.leave(delivered, 0, 1)
      sent++
      await settled()
    }
    expect(answers.length - sent).toBe(MOST_ROOM)
    window.leave(delivered, 0, 1)
    await settled()
    expect(answers.length - sent - 1).toBe(MOST_ROOM)
  })

  test('is halved once by attempts that time out together, and grows by one in a round from then on', async () => {
    const window = createWindow(gate())
    const answers = await enter(window, 200)
    for (let i = 0; i < 12; i++) window.leave(delivered, 0, 1)
    await settled()
    let sent = 12
    expect(answers.length - sent).toBe(16)
    for (let i = 0; i < 16; i++) window.leave(late, 100, 15_100)
    await settled()
    sent += 16
    expect(answers.length - sent).toBe(8)
    for (let i = 0; i < 8; i++) window.leave(delivered, 15_200, 15_300)
    await settled()
    sent += 8
    expect(answers.length - sent).toBe(8)
    window.leave(delivered, 15_200, 15_300)
    await settled()
    expect(answers.length - sent - 1).toBe(9)
  })

  test('is halved by answers that took long, down to where it began', async () => {
    const window = createWindow(gate())
    const answers = await enter(window, 200)
    for (let i = 0; i < 12; i++) window.leave(delivered, 0, 1)
    await settled()
    let sent = 12
    for (const [room, at] of [
      [8, 10_000],
      [4, 20_000],
      [4, 30_000],
    ] as const) {
      while (answers.length > sent) {
        window.leave(delivered, at, at + 6000)
        sent++
      }
      await settled()
      expect(answers.length - sent).toBe(room)
    }
  })

  test('grows by no answer while there was room left', async () => {
    const window = createWindow(gate())
    for (let i = 0; i < 50; i++) {
      await enter(window, 1)
      window.leave(delivered, 0, 1)
    }
    expect(await enter(window, 500)).toHaveLength(FIRST_ROOM)
  })

  test('never closes, and an answer that is no overload leaves it', async () => {
    const window = createWindow(gate())
    const answers = await enter(window, 100)
    for (let i = 1; i < 10; i++) window.leave(late, i, i)
    await settled()
    // Three left four places for one; each of the other six made room for another.
    expect(answers).toHaveLength(FIRST_ROOM + 6)
    const other = createWindow(gate())
    const entered = await enter(other, 50)
    for (let i = 1; i <= 4; i++) other.leave({ kind: 'retry', reason: 'HTTP 500' }, i, i)
    await settled()
    expect(entered).toHaveLength(FIRST_ROOM + 4)
  })

  test('sends nobody to an endpoint that went down, lets probes in, and forgets who gave up', async () => {
    const it = gate()
    const window = createWindow(it)
    const cut = new AbortController()
    const answers = await enter(window, 6)
    const given = await enter(window, 1, cut.signal)
    cut.abort()
    await settled()
    expect(given).toEqual([false])
    it.becomes('down')
    await settled()
    expect(answers).toEqual([true, true, true, true, false, false])
    expect(await enter(window, 1)).toEqual([true])
    expect(await window.enter(AbortSignal.abort())).toBe(false)
  })
})
