import type { Redis } from 'ioredis'
import { keys } from '../../shared/keys.ts'
import { RECEIPT_TTL_SECONDS } from '../../shared/receipt.ts'
import { fencedScript } from '../redis/fenced.ts'
import type { Fence } from '../types.ts'
import type { Layout } from './layout.ts'
import { MOVE_TO_FINISHED, NO_LOCK } from './scripts.ts'
import type { Ended } from './finish.ts'

// A receipt is written whatever BullMQ's script answers: it answers an error to a command that is sent again after a
// broken connection, and then the receipt is written again as it was.
const FINISH = fencedScript(`${MOVE_TO_FINISHED}
local prefix, now, receipts, indexes, ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local packed = {}
local function finish(id, session, indexed, name, state, value, options, attempts, code, message)
  packed[options] = packed[options] or cmsgpack.pack(cjson.decode(options))
  local completed = state == 'completed'
  local bullmqKeys = {unpack(KEYS, 1, 10)}
  bullmqKeys[11] = completed and KEYS[12] or KEYS[13]
  bullmqKeys[12] = prefix .. id
  bullmqKeys[13] = prefix .. 'metrics:' .. state
  bullmqKeys[14] = KEYS[11]
  local property = completed and 'returnvalue' or 'failedReason'
  moveToFinished(bullmqKeys, {id, now, property, value, state, '0', prefix, packed[options], ''})
  local receipt = receipts .. id
  redis.call('DEL', receipt)
  redis.call('HSET', receipt, 'sessionId', session, 'name', name, 'state', state, 'attempts', attempts,
    'finishedAt', now, unpack(completed and {'result', value} or {'code', code, 'message', message}))
  redis.call('EXPIRE', receipt, ttl)
  if indexed == '1' then
    local index = indexes .. session
    redis.call('ZADD', index, now + ttl * 1000, receipt)
    redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
    redis.call('EXPIRE', index, ttl)
  end
end
for i = 6, #ARGV, 10 do finish(unpack(ARGV, i, i + 9)) end
return 1
`)

/** Ends jobs in one command, in their order. Throws `FencedError`, or an error after which some may have ended. */
export async function finishAll(
  redis: Redis,
  fence: Fence,
  layout: Layout,
  now: number,
  ended: readonly Ended[],
): Promise<void> {
  const { wait, active, prioritized, events, stalled, limiter, delayed, paused, meta, priorities, marker } = layout
  const common = [wait, active, prioritized, events, stalled, limiter, delayed, paused, meta, priorities]
  const scriptKeys = [...common, marker, layout.completed, layout.failed]
  const head = [layout.prefix, now, keys.receipt(layout.queue, ''), keys.receipts(''), RECEIPT_TTL_SECONDS]
  await FINISH.run(redis, fence, scriptKeys, [...head, ...ended.flatMap(argumentsOf)])
}

function argumentsOf({ ref, ending }: Ended): (string | number)[] {
  const { attempts, removeOnComplete, removeOnFail } = ref.options
  const failed = ending.state === 'failed'
  // A deleted session leaves no key that names it, so the receipt of its deletion is listed nowhere and just expires.
  const indexed = ref.sessionId !== undefined && ref.name !== 'DELETE_SESSION'
  const keepJobs = failed ? removeOnFail : removeOnComplete
  return [
    ref.id,
    ref.sessionId ?? '',
    indexed ? 1 : 0,
    ref.name,
    ending.state,
    failed ? `${ending.code}: ${ending.message}` : JSON.stringify(ending.result),
    JSON.stringify({ token: NO_LOCK, keepJobs, attempts, maxMetricsSize: '' }),
    ref.attemptsMade + 1,
    failed ? ending.code : '',
    failed ? ending.message : '',
  ]
}
