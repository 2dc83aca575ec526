import { expect, it, vi } from 'vitest'
import { createOpener } from './opener.ts'

const ids = ['a', 'b', 'c', 'd', 'e', 'f']

function opener(atOnce: number) {
  const opened: string[] = []
  const gates: (() => void)[] = []
  let most = 0
  let now = 0
  const told: number[] = []
  const made = createOpener({ atOnce, pauseMs: 0, random: () => 0 }, count => told.push(count))
  const open = async (sessionId: string) => {
    opened.push(sessionId)
    most = Math.max(most, ++now)
    await new Promise<void>(resolve => gates.push(resolve))
    now -= 1
  }
  /** Lets those arrive that are being opened, until the work is done. */
  const release = async (work: Promise<unknown>) => {
    const progress = { done: false }
    void work.then(() => (progress.done = true))
    while (!progress.done) {
      for (const gate of gates.splice(0)) gate()
      await new Promise(resolve => setImmediate(resolve))
    }
  }
  return {
    run: async (sessionIds: readonly string[], signal = new AbortController().signal) =>
      made.run(sessionIds, { open, signal }),
    hurry: (sessionId: string) => made.hurry(sessionId),
    opened,
    release,
    most: () => most,
    told,
  }
}

it('opens every session once, so many at a time, of all partitions', async () => {
  const { run, opened, release, most } = opener(2)
  await release(Promise.all([run(ids), run(['g', 'h'])]))
  expect(opened).toEqual([...ids, 'g', 'h'])
  expect(most()).toBe(2)
})

it('tells how many were opened when all have had their turn', async () => {
  const { run, release, told } = opener(2)
  await release(Promise.all([run(ids), run(['g', 'h'])]))
  await vi.waitUntil(() => told.length > 0)
  expect(told).toEqual([8])
})

it('takes those first that somebody waits for', async () => {
  const { run, hurry, opened, release } = opener(2)
  const work = Promise.all([run(ids), run(['g', 'h'])])
  for (const sessionId of ['h', 'a', 'e', 'h', 'unknown']) hurry(sessionId)
  await release(work)
  expect(opened).toEqual(['a', 'b', 'h', 'e', 'c', 'd', 'f', 'g'])
})

it('opens no more of a partition that is given up, and goes on with the others', async () => {
  const ended = new AbortController()
  const { run, opened, release } = opener(2)
  const work = Promise.all([run(ids, ended.signal), run(['g', 'h'])])
  ended.abort()
  await release(work)
  expect(opened).toEqual(['a', 'b', 'g', 'h'])
})
