import { describe, expect, it } from 'vitest'
import { createExpiringCache } from './expiring-cache.ts'

describe('a cache for Baileys', () => {
  it('takes the pairs that Baileys gives to mset, and gives them back', async () => {
    const cache = createExpiringCache({ ttlMs: 1000, maxEntries: 10 }, () => 0)
    await cache.mset?.([
      { key: '628', value: [{ device: 0 }] },
      { key: '629', value: [] },
    ])
    expect(await cache.get('628')).toEqual([{ device: 0 }])
    expect(await cache.mget?.(['628', '629', '630'])).toEqual({ '628': [{ device: 0 }], '629': [], '630': undefined })
    await cache.mdel?.(['628', '629'])
    expect(await cache.get('628')).toBeUndefined()
  })

  it('forgets in time, and the oldest when it is full', async () => {
    let now = 0
    const cache = createExpiringCache({ ttlMs: 1000, maxEntries: 2 }, () => now)
    await cache.set('a', 1)
    await cache.set('b', 2)
    await cache.set('c', 3)
    expect(await cache.get('a')).toBeUndefined()
    expect(await cache.get('b')).toBe(2)
    now = 1000
    expect(await cache.get('b')).toBeUndefined()
    await cache.set('d', 4)
    await cache.flushAll()
    expect(await cache.get('d')).toBeUndefined()
  })
})
