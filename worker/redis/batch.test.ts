import { describe, expect, it } from 'vitest'
import { countWithin, createBatcher } from './batch.ts'

describe('a batcher', () => {
  function rig(together: (waiting: readonly number[]) => number = waiting => waiting.length) {
    const sent: number[][] = []
    const replies: (() => void)[] = []
    let idle = 0
    const batcher = createBatcher<number>({
      together,
      async send(batch) {
        sent.push([...batch])
        await new Promise<void>(resolve => replies.push(resolve))
      },
      onIdle: () => idle++,
    })
    const reply = async () => {
      replies.shift()?.()
      await new Promise(resolve => setImmediate(resolve))
    }
    return { batcher, sent, reply, idle: () => idle }
  }

  it('sends the first at once, and what comes meanwhile in one', async () => {
    const { batcher, sent, reply } = rig()
    for (const item of [1, 2, 3]) batcher.add(item)
    expect(sent).toEqual([[1]])
    await reply()
    expect(sent).toEqual([[1], [2, 3]])
  })

  it('sends no more together than it is told, and keeps what is on its way among what waits', async () => {
    const { batcher, sent, reply, idle } = rig(() => 2)
    for (const item of [1, 2, 3, 4, 5]) batcher.add(item)
    await reply()
    expect(batcher.waiting).toEqual([2, 3, 4, 5])
    for (let i = 0; i < 2; i++) await reply()
    expect(sent).toEqual([[1], [2, 3], [4, 5]])
    await batcher.idle()
    expect([batcher.waiting, idle()]).toEqual([[], 1])
  })
})

it.each([
  [[1, 1, 1], 2, 10, 2],
  [[1, 4, 4], 9, 5, 2],
  [[9, 1], 9, 5, 1],
  [[1, 9], 9, 5, 1],
  [[2, 3], 2, 5, 2],
])('of items of %j bytes, at most %i and %i bytes, %i go together', (items, count, bytes, expected) => {
  expect(countWithin(items, { count, bytes }, size => size)).toBe(expected)
})
