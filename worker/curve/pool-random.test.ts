import crypto, * as named from 'node:crypto'
import { beforeAll, expect, test, vi } from 'vitest'
import { poolRandomBytes } from './pool-random.ts'

const original = named.randomBytes
beforeAll(poolRandomBytes)

test('small ones are their caller’s own, all different, and cost a fill in hundreds', () => {
  expect(named.randomBytes).not.toBe(original)
  const fill = vi.spyOn(crypto, 'randomFillSync')
  const given = Array.from({ length: 2000 }, () => crypto.randomBytes(16))
  expect(fill.mock.calls.length).toBeLessThan(10)
  fill.mockRestore()
  expect(new Set(given.map(bytes => bytes.toString('hex'))).size).toBe(2000)
  expect(given.every(bytes => bytes.length === 16 && bytes.buffer.byteLength === 16)).toBe(true)
  // Every bit is set about half of the time: ten standard deviations of 2000 throws are 224.
  for (let bit = 0; bit < 128; bit++) {
    const set = given.filter(bytes => ((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1).length
    expect(Math.abs(set - 1000)).toBeLessThan(224)
  }
})

test('every size has its length, and what is no size throws as before', async () => {
  for (const size of [0, 1, 63, 64, 65, 5000]) expect(crypto.randomBytes(size)).toHaveLength(size)
  for (const size of [-1, Number.NaN, '8']) expect(() => crypto.randomBytes(size as number)).toThrow(/size/)
  const later = await new Promise<Buffer>((resolve, reject) => {
    crypto.randomBytes(8, (error, bytes) => (error ? reject(error) : resolve(bytes)))
  })
  expect(later).toHaveLength(8)
})
