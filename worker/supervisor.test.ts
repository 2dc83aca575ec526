import pino from 'pino'
import { expect, it } from 'vitest'
import { until } from '../dev/stack/until.ts'
import { createSupervisor } from './supervisor.ts'

const log = pino({ level: 'silent' })

it('starts a loop again that has failed, and lets the others run', async () => {
  const supervisor = createSupervisor(log)
  const stop = new AbortController()
  let runs = 0
  const flaky = {
    name: 'flaky',
    run: async () => {
      if (++runs < 3) throw new Error('no')
    },
  }
  const steady = {
    name: 'steady',
    run: async (signal: AbortSignal) =>
      new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true })),
  }
  const all = [supervisor.supervise(flaky, stop.signal), supervisor.supervise(steady, stop.signal)]
  await until('the failure to show', () => supervisor.failing().includes('flaky'))
  await all[0]
  expect(runs).toBe(3)
  expect(supervisor.failing()).toEqual([])
  stop.abort()
  await Promise.all(all)
})

it('ends when it is told to, even while a loop waits to be started again', async () => {
  const supervisor = createSupervisor(log)
  const stop = new AbortController()
  const broken = { name: 'broken', run: async () => Promise.reject(new Error('always')) }
  const running = supervisor.supervise(broken, stop.signal)
  await until('the failure to show', () => supervisor.failing().length === 1)
  stop.abort()
  await running
  expect(supervisor.failing()).toEqual([])
})

it('takes a loop for well again that has run for a while since it failed', async () => {
  const supervisor = createSupervisor(log, 50)
  const stop = new AbortController()
  let runs = 0
  const once = {
    name: 'once',
    run: async (signal: AbortSignal) => {
      if (++runs === 1) throw new Error('no')
      await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
    },
  }
  const running = supervisor.supervise(once, stop.signal)
  await until('the failure to show', () => supervisor.failing().includes('once'))
  await until('the loop to be well', () => supervisor.failing().length === 0)
  expect(runs).toBe(2)
  stop.abort()
  await running
})
