import type { Redis } from 'ioredis'
import { queueOf } from '../../shared/partition.ts'
import { fencedScript } from '../redis/fenced.ts'
import type { Fence } from '../types.ts'
import type { Layout } from './layout.ts'
import { layoutOf } from './layout.ts'

/**
 * The id a job has after it was forwarded. Its own id may be taken in the other queue: each queue counts for itself, and
 * a number given here would be given there again. BullMQ refuses numbers as ids that producers choose.
 */
export function forwardedId(partition: number, id: string): string {
  return `from-${partition}-${id}`
}

// The job's hash is renamed, so all that is in it goes along, and a job is in one queue or the other, never in both or
// neither. Jobs are forwarded one after the other in the order they were fetched, so each session's order is kept.
const FORWARD = fencedScript(`
local active, fromPrefix, toPrefix, id, newId = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if redis.call('LREM', active, 1, id) == 0 then return '' end
local from = fromPrefix .. id
if redis.call('EXISTS', from) == 0 then return '' end
while redis.call('EXISTS', toPrefix .. newId) == 1 do newId = newId .. '-' end
local to = toPrefix .. newId
redis.call('DEL', from .. ':lock')
redis.call('RENAME', from, to)
if redis.call('EXISTS', from .. ':logs') == 1 then redis.call('RENAME', from .. ':logs', to .. ':logs') end
local job = redis.call('HMGET', to, 'priority', 'name', 'deid', 'parentKey')
-- A deduplication without an end lasts until its job has finished, which its own queue will not see.
if job[3] then
  local mark = fromPrefix .. 'de:' .. job[3]
  if redis.call('GET', mark) == id and redis.call('PTTL', mark) == -1 then redis.call('DEL', mark) end
end
if job[4] and redis.call('SREM', job[4] .. ':dependencies', from) == 1 then
  redis.call('SADD', job[4] .. ':dependencies', to)
end
redis.call('HDEL', to, 'processedOn', 'pb', 'ats', 'deid')
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
return newId
`)

/**
 * Moves a job that we hold to the queue of the partition it belongs to. Resolves with its new id, or undefined when it
 * is no longer ours to move.
 */
export type Forward = (id: string, partition: number) => Promise<string | undefined>

/** See {@link Forward}. */
export function createForward(redis: Redis, fence: Fence, layout: Layout): Forward {
  return async (id, partition) => {
    const to = layoutOf(queueOf(partition))
    const newId = forwardedId(fence.partition, id)
    const reply = await FORWARD.run(redis, fence, [layout.active], [layout.prefix, to.prefix, id, newId])
    return reply === '' ? undefined : String(reply)
  }
}
