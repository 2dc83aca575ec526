import { describe, expect, it } from 'vitest'
import { createRing, type Numbered } from './ring.ts'

type Entry = Numbered & { readonly value: number }

describe('ring', () => {
  it('keeps the newest and says how many fell out', () => {
    const ring = createRing<Entry>(100)
    for (let value = 1; value <= 1000; value++) ring.append({ value })
    const kept = ring.read({ limit: 10_000 })
    expect(kept.length).toBeGreaterThanOrEqual(100)
    expect(kept.length).toBeLessThan(125)
    expect(kept.at(-1)).toEqual({ index: 1000, value: 1000 })
    expect(ring.dropped).toBe(1000 - kept.length)
    expect(ring.read({ since: 998 }).map(({ index }) => index)).toEqual([999, 1000])
    expect(ring.read({ since: 1, limit: 1 })[0]?.index).toBe(1001 - kept.length)
  })

  it('wakes a reader when enough entries match, and after its time with fewer', async () => {
    const ring = createRing<Entry>(100)
    ring.append({ value: 2 })
    const even = ring.wait({ matches: ({ value }) => value % 2 === 0 }, 3, 10_000)
    for (const value of [3, 4, 5, 6, 7]) ring.append({ value })
    expect((await even).map(({ value }) => value)).toEqual([2, 4, 6])
    await expect(ring.wait({ since: ring.lastIndex }, 1, 5)).resolves.toEqual([])
  })
})
