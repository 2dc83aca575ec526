import { expect, test } from 'vitest'
import { cutToBounds, MAX_CONTENT_BYTES, MAX_LEVELS } from './bounds.ts'

function nested(levels: number): Record<string, unknown> {
  let quote: Record<string, unknown> = { text: 'innermost' }
  for (let level = 1; level < levels; level++) quote = { quote }
  return quote
}

function levelsOf(value: unknown): number {
  let levels = 0
  for (let at = value; at !== undefined; at = (at as { quote?: unknown }).quote) levels++
  return levels
}

test('leaves what people send as it is', () => {
  const message = { text: 'Halo', bytes: Buffer.alloc(60_000), list: [{ a: 1 }, { b: null }], quote: nested(20) }
  const before = structuredClone(message)
  expect(cutToBounds(message)).toBe(false)
  expect(structuredClone(message)).toEqual(before)
})

test.each([MAX_LEVELS + 1, 1500, 200_000])('cuts off what is nested too deep: %i levels', levels => {
  const message = { text: 'Halo', ...nested(levels) }
  expect(cutToBounds(message)).toBe(true)
  expect(levelsOf(message)).toBe(MAX_LEVELS)
  expect(message.text).toBe('Halo')
})

test('cuts off what is too much, and keeps what came before', () => {
  const message = { text: 'Halo', more: Array.from({ length: 40 }, () => 'x'.repeat(100_000)) }
  expect(cutToBounds(message)).toBe(true)
  expect(message.text).toBe('Halo')
  expect(JSON.stringify(message).length).toBeLessThan(MAX_CONTENT_BYTES + 1000)
  const many = { text: 'Halo', list: Array.from({ length: 1_000_000 }, () => ({})) }
  expect(cutToBounds(many)).toBe(true)
})
