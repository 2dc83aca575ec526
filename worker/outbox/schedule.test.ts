import { describe, expect, test } from 'vitest'
import { nextAttemptAt, parseRetryAfter, RETRY_POLICY } from './schedule.ts'

const HOUR = 3_600_000
const WEEK = 7 * 24 * HOUR
const START = 1_700_000_000_000

/** The times of all attempts of an event that always fails, in ms after the first. */
function attempts(random: () => number): number[] {
  const times: number[] = []
  let now: number | undefined = START
  while (now !== undefined) {
    times.push(now - START)
    now = nextAttemptAt(RETRY_POLICY, { attempt: times.length, firstAttemptAt: START, now }, random)
  }
  return times
}

describe('the schedule', () => {
  test('spans exactly 7 days, quick at first and every 6 h at the end', () => {
    for (const random of [() => 0, () => 0.999, Math.random]) {
      const times = attempts(random)
      expect(times[0]).toBe(0)
      expect(times.at(-1)).toBe(WEEK)
      expect(times.length).toBeGreaterThan(30)
      expect(times.length).toBeLessThan(50)
      const pauses = times.slice(1).map((time, i) => time - (times[i] ?? 0))
      expect(pauses[0]).toBeLessThanOrEqual(2000)
      expect(Math.max(...pauses)).toBeLessThanOrEqual(6 * HOUR)
      const growing = pauses.slice(0, 10)
      expect(growing).toEqual(growing.toSorted((a, b) => a - b))
    }
  })

  test('spreads by up to a fifth, so that sessions which failed together do not come back together', () => {
    const failure = { attempt: 10, firstAttemptAt: START, now: START }
    expect(nextAttemptAt(RETRY_POLICY, failure, () => 0)).toBe(START + 6 * HOUR)
    expect(nextAttemptAt(RETRY_POLICY, failure, () => 0.5)).toBe(START + 5.4 * HOUR)
  })

  test('waits as long as the receiver asks, up to 6 h, and never less than its own pause', () => {
    const next = (retryAfterMs: number) =>
      nextAttemptAt(RETRY_POLICY, { attempt: 1, firstAttemptAt: START, now: START, retryAfterMs }, () => 0)
    expect(next(60_000)).toBe(START + 60_000)
    expect(next(0)).toBe(START + 2000)
    expect(next(1e15)).toBe(START + 6 * HOUR)
  })

  test('gives up after 7 days, however few attempts there were', () => {
    const failure = { attempt: 2, firstAttemptAt: START, now: START + WEEK }
    expect(nextAttemptAt(RETRY_POLICY, failure, () => 0)).toBeUndefined()
    expect(nextAttemptAt(RETRY_POLICY, { ...failure, now: failure.now - 1 }, () => 0)).toBe(START + WEEK)
  })
})

describe('Retry-After', () => {
  test.each([
    ['0', 0],
    ['120', 120_000],
    [new Date(START + 90_000).toUTCString(), 90_000],
    [new Date(START - 90_000).toUTCString(), 0],
    ['Tuesday, 14-Nov-23 22:14:20 GMT', 60_000],
  ])('%s', (text, ms) => {
    expect(parseRetryAfter(text, START)).toBe(ms)
  })

  test.each([undefined, '', '-5', '1.5', '1e3', '99999999999', 'soon', '2023-11-14', 'Tue, GMT', '5, 5'])(
    '%s is none',
    text => {
      expect(parseRetryAfter(text, START)).toBeUndefined()
    },
  )
})
