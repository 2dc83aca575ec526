import { forwardedId, queueOf } from '../../../shared/partition.ts'
import { fencedScript } from '../../redis/fenced.ts'
import { layoutOf } from './layout.ts'
import { LEAVE_MARK } from './origin.ts'
import type { OwnedQueue } from './owned-queue.ts'

/** A job that we hold, and the partition it belongs to. */
export interface Misplaced {
  id: string
  partition: number
}

// A job's hash is renamed, so all that is in it goes along, and a job is in one queue or the other, never in both or
// neither. All jobs of a fetch go in one script, in their order: of several commands in flight one could overtake
// another when Redis has lost its scripts and each is sent again.
const FORWARD = fencedScript(`${LEAVE_MARK}
local active, fromPrefix, mark = KEYS[1], ARGV[1], ARGV[2]
local function forward(id, toPrefix)
  if redis.call('LREM', active, 1, id) == 0 then return end
  local from, newId = fromPrefix .. id, mark .. id
  if redis.call('EXISTS', from) == 0 then return end
  while redis.call('EXISTS', toPrefix .. newId) == 1 do newId = newId .. '-' end
  local to = toPrefix .. newId
  redis.call('DEL', from .. ':lock')
  redis.call('RENAME', from, to)
  if redis.call('EXISTS', from .. ':logs') == 1 then redis.call('RENAME', from .. ':logs', to .. ':logs') end
  local job = redis.call('HMGET', to, 'priority', 'name', 'deid', 'parentKey')
  -- A deduplication without an end lasts until its job has finished, which its own queue will not see.
  if job[3] then
    local dedup = fromPrefix .. 'de:' .. job[3]
    if redis.call('GET', dedup) == id and redis.call('PTTL', dedup) == -1 then redis.call('DEL', dedup) end
  end
  if job[4] and redis.call('SREM', job[4] .. ':dependencies', from) == 1 then
    redis.call('SADD', job[4] .. ':dependencies', to)
  end
  redis.call('HDEL', to, 'processedOn', 'pb', 'ats', 'deid', 'rjk')
  leaveMark(from, fromPrefix, id, to, newId, job[2] or '')
  local meta = redis.call('HMGET', toPrefix .. 'meta', 'paused', 'opts.maxLenEvents')
  local priority = tonumber(job[1]) or 0
  if priority > 0 then
    local counter = redis.call('INCR', toPrefix .. 'pc')
    redis.call('ZADD', toPrefix .. 'prioritized', priority * 0x100000000 + counter % 0x100000000, newId)
  else
    redis.call('LPUSH', toPrefix .. 'wait', newId)
  end
  if not meta[1] then redis.call('ZADD', toPrefix .. 'marker', 0, '0') end
  local events, most = toPrefix .. 'events', meta[2] or 10000
  redis.call('XADD', events, 'MAXLEN', '~', most, '*', 'event', 'added', 'jobId', newId, 'name', job[2] or '')
  redis.call('XADD', events, 'MAXLEN', '~', most, '*', 'event', 'waiting', 'jobId', newId)
end
for i = 3, #ARGV, 2 do forward(ARGV[i], ARGV[i + 1]) end
return 1
`)

/** Moves jobs that we hold to the queues of the partitions they belong to, in their order. Throws as fenced scripts do. */
export async function forward({ redis, fence, layout }: OwnedQueue, jobs: readonly Misplaced[]): Promise<void> {
  const targets = jobs.flatMap(({ id, partition }) => [id, layoutOf(queueOf(partition)).prefix])
  await FORWARD.run(redis, fence, [layout.active], [layout.prefix, forwardedId(fence.partition, ''), ...targets])
}
