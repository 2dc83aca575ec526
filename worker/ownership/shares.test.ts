import { describe, expect, it } from 'vitest'
import type { Beat } from './leases.ts'
import { plan } from './shares.ts'

function state(workers: string[], holders: readonly (string | undefined)[]): Pick<Beat, 'workers' | 'leases'> {
  return { workers, leases: holders.map(holder => ({ token: holder ? `${holder}:1` : '', remainingMs: 1 })) }
}

describe('plan', () => {
  it('lets a single worker take everything', () => {
    expect(plan('a', state(['a'], [undefined, undefined, undefined]))).toEqual({
      share: 3,
      claim: [0, 1, 2],
      surplus: 0,
    })
  })

  it('leaves the odd partitions with those that hold most', () => {
    const now = state(['a', 'b', 'c'], ['c', 'c', 'c', 'b', 'b', 'b', 'a', 'a'])
    expect(['a', 'b', 'c'].map(me => plan(me, now).share)).toEqual([2, 3, 3])
    expect(['a', 'b', 'c'].map(me => plan(me, now).surplus)).toEqual([0, 0, 0])
  })

  it('gives up the surplus when one joins, and no more', () => {
    const now = state(['a', 'b'], ['b', 'b', 'b', 'b', 'b'])
    expect(plan('b', now)).toEqual({ share: 3, claim: [], surplus: 2 })
    expect(plan('a', now)).toEqual({ share: 2, claim: [], surplus: 0 })
  })

  it('counts partitions of the dead as taken until their lease ends', () => {
    const now = state(['a'], ['dead', undefined])
    expect(plan('a', now)).toEqual({ share: 2, claim: [1], surplus: 0 })
  })

  it('leaves a standby with nothing when there are more workers than partitions', () => {
    const now = state(['a', 'b', 'c'], ['b'])
    expect(plan('a', now)).toEqual({ share: 0, claim: [], surplus: 0 })
    expect(plan('b', now)).toEqual({ share: 1, claim: [], surplus: 0 })
  })

  it('agrees across workers, and reaches balance from any state in one round', () => {
    const names = ['a', 'b', 'c', 'd']
    for (let seed = 0; seed < 500; seed++) {
      const workers = names.slice(0, 1 + (seed % 4))
      const partitions = 1 + ((seed * 7) % 13)
      const holders = Array.from(
        { length: partitions },
        (_, i) => workers[(seed * 31 + i * i * 17) % (workers.length + 1)],
      )
      const shares = workers.map(me => plan(me, state(workers, holders)).share)
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(partitions)
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1)
    }
  })
})
