import type { Redis } from 'ioredis'
import { keys } from '../../../shared/keys.ts'
import { RECEIPT_TTL_SECONDS } from '../../../shared/receipt.ts'
import { persist } from '../../redis/persist.ts'
import { fencedScript } from '../../redis/fenced.ts'
import type { Core } from '../../core.ts'
import type { Fence } from '../../ownership/fence.ts'
import type { Layout } from './layout.ts'

/** Entries that one command looks at: longer, and it would delay others. */
const MOST_ENTRIES = 1000

// KEYS events receipts; ARGV prefix-of-receipts, first entry, oldest. Replies the entry after which to go on, or ''.
const UNTELL = fencedScript(`
redis.call('XTRIM', KEYS[1], 'MINID', ARGV[3])
local entries = redis.call('XRANGE', KEYS[1], ARGV[2], '+', 'COUNT', ${MOST_ENTRIES})
for _, entry in ipairs(entries) do
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  local tells = fields.returnvalue or fields.failedReason
  if tells and fields.jobId and redis.call('ZSCORE', KEYS[2], ARGV[1] .. fields.jobId) then
    redis.call('XDEL', KEYS[1], entry[1])
  end
end
return #entries == ${MOST_ENTRIES} and entries[#entries][1] or ''
`)

/** Time in ms before which an entry of BullMQ's stream of events is not kept: as long as a receipt, which tells the same. */
export function oldestTold(now: number): number {
  return now - RECEIPT_TTL_SECONDS * 1000
}

/**
 * Removes from BullMQ's stream of events what it tells of how the jobs of a session ended: numbers stand in results and
 * reasons, and the stream forgets by its length alone. It goes by the session's receipts, so it comes before these are
 * removed. It may be done again. Throws `FencedError`.
 */
export async function untell(
  { redis, log, clock }: Pick<Core, 'log' | 'clock'> & { redis: Redis },
  fence: Fence,
  layout: Layout,
  sessionId: string,
): Promise<void> {
  const at = [layout.events, keys.receipts(sessionId)]
  let first = '-'
  while (first !== '') {
    const args = [keys.receipt(layout.queue, ''), first, oldestTold(clock.now())]
    const last = String(await persist(async () => UNTELL.run(redis, fence, at, args), fence, log))
    first = last && `(${last}`
  }
}
