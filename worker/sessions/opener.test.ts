import { expect, it } from 'vitest'
import { createOpener } from './opener.ts'

const ids = ['a', 'b', 'c', 'd', 'e', 'f']

function opener(atOnce: number, signal = new AbortController().signal) {
  const opened: string[] = []
  const gates: (() => void)[] = []
  let most = 0
  let now = 0
  const made = createOpener({
    atOnce,
    pauseMs: 0,
    random: () => 0,
    signal,
    async open(sessionId) {
      opened.push(sessionId)
      most = Math.max(most, ++now)
      await new Promise<void>(resolve => gates.push(resolve))
      now -= 1
    },
  })
  /** Lets those arrive that are being opened, until the work is done. */
  const release = async (work: Promise<void>) => {
    const progress = { done: false }
    void work.then(() => (progress.done = true))
    while (!progress.done) {
      for (const gate of gates.splice(0)) gate()
      await new Promise(resolve => setImmediate(resolve))
    }
  }
  return { made, opened, release, most: () => most }
}

it('opens every session once, so many at a time', async () => {
  const { made, opened, release, most } = opener(2)
  await release(made.run(ids))
  expect(opened).toEqual(ids)
  expect(most()).toBe(2)
})

it('takes those first that somebody waits for', async () => {
  const { made, opened, release } = opener(2)
  const work = made.run(ids)
  for (const sessionId of ['f', 'a', 'e', 'f', 'unknown']) made.hurry(sessionId)
  await release(work)
  expect(opened).toEqual(['a', 'b', 'f', 'e', 'c', 'd'])
})

it('opens no more when it is ended', async () => {
  const ended = new AbortController()
  const { made, opened, release } = opener(2, ended.signal)
  const work = made.run(ids)
  ended.abort()
  await release(work)
  expect(opened).toEqual(['a', 'b'])
})
