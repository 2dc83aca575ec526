import { setTimeout as sleep } from 'node:timers/promises'
import { fencedScript } from '../../redis/fenced.ts'
import { persist } from '../../redis/persist.ts'
import type { Core } from '../../core.ts'
import type { Fence } from '../../ownership/fence.ts'
import type { Layout } from './layout.ts'
import { REMOVE_JOB } from './scripts.ts'
import { oldestTold } from './told.ts'

/** What keeping finished jobs for a time needs. */
export interface RetentionDeps {
  core: Core
  fence: Fence
  layout: Layout
  /** How long BullMQ keeps a job that has ended, in ms. */
  keptMs: number
}

const HOUR_MS = 60 * 60 * 1000
/** Jobs that one command removes: longer, and it would delay others. */
const MOST_JOBS = 250

// KEYS failed completed events; ARGV prefix, ended before, told before. What is no job any more leaves the list, too: it
// would be found again for ever.
const SWEEP = fencedScript(`${REMOVE_JOB}
local removed = 0
for i = 1, 2 do
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', '(' .. ARGV[2], 'LIMIT', 0, ${MOST_JOBS})) do
    pcall(removeJob, {ARGV[1] .. id, ARGV[1] .. 'repeat'}, {id, '0', ARGV[1]})
    redis.call('ZREM', KEYS[i], id)
    removed = removed + 1
  end
end
redis.call('XTRIM', KEYS[3], 'MINID', ARGV[3])
return removed
`)

/**
 * Removes jobs that ended too long ago, once an hour: the contract's failed jobs are kept, with the text and the number
 * of whom it was for, and nothing else would ever remove them. Runs until aborted.
 */
export function createRetention({ core, fence, layout, keptMs }: RetentionDeps) {
  const { redis, clock, log } = core

  async function sweep(): Promise<void> {
    const at = [layout.failed, layout.completed, layout.events]
    let all = 0
    for (let removed = MOST_JOBS; removed >= MOST_JOBS;) {
      const now = clock.now()
      const args = [layout.prefix, now - keptMs, oldestTold(now)]
      removed = Number(await persist(async () => SWEEP.run(redis, fence, at, args), fence, log))
      all += removed
    }
    if (all > 0) log.info({ jobs: all }, 'jobs that ended long ago are removed')
  }

  return {
    name: 'retention',
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        await sweep()
        await sleep(HOUR_MS, undefined, { signal }).catch(() => undefined)
      }
    },
  }
}
