import { describe, expect, it } from 'vitest'
import { readJob, type Held } from '../read.ts'
import { createPacing } from './pacing.ts'

let ids = 0

function job(sessionId: string, name = 'SEND_TEXT', text = 'hello'): Held {
  const data = JSON.stringify({ sessionId, to: '6281234567890', text })
  const reading = readJob([String(++ids), ['name', name, 'data', data]], 'whatsapp-jobs', 0, 1)
  if (reading.kind !== 'job') throw new Error(reading.kind)
  return reading.held
}

function paced(pace: { gapMs?: number; jitterMs?: number; characterMs?: number }, random = 0) {
  let now = 0
  const clock = { now: () => now, monotonic: () => now }
  const pause = createPacing({ gapMs: 0, jitterMs: 0, characterMs: 0, ...pace }, clock, () => random)
  return { pause, pass: (ms: number) => void (now += ms) }
}

describe('pacing', () => {
  it('keeps a gap with jitter between the sends of a session, and of that session alone', () => {
    const { pause, pass } = paced({ gapMs: 1000, jitterMs: 500 }, 0.5)
    expect(pause(job('a'))).toBe(0)
    const next = job('a')
    expect(pause(next)).toBe(1250)
    pass(1000)
    expect(pause(next)).toBe(250)
    expect(pause(job('b'))).toBe(0)
    pass(250)
    expect(pause(next)).toBe(0)
    expect(pause(job('a'))).toBe(1250)
  })

  it('does not make a session wait that has rested, nor a control job', () => {
    const { pause, pass } = paced({ gapMs: 1000 })
    expect(pause(job('a'))).toBe(0)
    expect(pause(job('a', 'STOP_SESSION'))).toBe(0)
    pass(5000)
    expect(pause(job('a'))).toBe(0)
  })

  it('types a text, but not for ever', () => {
    const { pause } = paced({ characterMs: 50 })
    expect(pause(job('a', 'SEND_TEXT', 'x'.repeat(40)))).toBe(2000)
    expect(pause(job('b', 'SEND_TEXT', 'x'.repeat(100_000)))).toBe(30_000)
  })
})
