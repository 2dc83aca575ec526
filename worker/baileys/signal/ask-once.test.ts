import { beforeEach, expect, test, vi } from 'vitest'
import { askOnce } from './ask-once.ts'

const MINUTE = 60_000
let now: number
let known: Record<string, string>
let asked: string[][]

const query = async (jids: string[]) => {
  asked.push(jids)
  return jids.flatMap(pn => (known[pn] === undefined ? [] : { pn, lid: known[pn] }))
}

beforeEach(() => {
  now = 1000
  known = { a: 'lid a' }
  asked = []
})

test('asks of a number without LID once in ten minutes, and of the others each time', async () => {
  const ask = askOnce(query, () => now)
  expect(await ask(['a', 'b'])).toEqual([{ pn: 'a', lid: 'lid a' }])
  expect(await ask(['b'])).toEqual([])
  expect(await ask(['a', 'b'])).toEqual([{ pn: 'a', lid: 'lid a' }])
  expect(asked).toEqual([['a', 'b'], ['a']])
  now += 10 * MINUTE
  known['b'] = 'lid b'
  expect(await ask(['b'])).toEqual([{ pn: 'b', lid: 'lid b' }])
})

test('does not ask within a minute of an answer from memory', async () => {
  const ask = askOnce(query, () => now)
  await ask(['b'])
  now += 10 * MINUTE - 1
  await ask(['b'])
  now += 2
  expect(await ask(['b'])).toEqual([])
  expect(asked).toHaveLength(1)
  now += 2 * MINUTE
  await ask(['b'])
  expect(asked).toHaveLength(2)
})

test('counts a question that failed as one without an answer', async () => {
  const failing = vi.fn<typeof query>(async () => {
    throw new Error('timed out')
  })
  const ask = askOnce(failing, () => now)
  await expect(ask(['a'])).rejects.toThrow('timed out')
  expect(await ask(['a'])).toEqual([])
  expect(failing).toHaveBeenCalledOnce()
})

test('remembers a thousand', async () => {
  const ask = askOnce(query, () => now)
  await ask(Array.from({ length: 1001 }, (_, i) => `n${i}`))
  await ask(['n0', 'n1000'])
  expect(asked[1]).toEqual(['n0'])
})
