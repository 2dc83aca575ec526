import { addDelayedJob } from 'bullmq/dist/esm/scripts/addDelayedJob-6.js'
import { addPrioritizedJob } from 'bullmq/dist/esm/scripts/addPrioritizedJob-9.js'
import { addStandardJob } from 'bullmq/dist/esm/scripts/addStandardJob-9.js'
import { version } from 'bullmq/dist/esm/version.js'
import { DIGEST_FIELD, keys, SESSION_FIELD } from '../../shared/keys.ts'

/** What BullMQ writes into a queue's `meta` to say who made it. */
export const QUEUE_VERSION = `bullmq:${version}`

/**
 * Adds a whole batch in one call, with BullMQ's own scripts as they are installed: an upgrade of bullmq is an upgrade of
 * the producer. Those take msgpack, which REST (JSON text) cannot carry, so each runs inside a function whose parameters
 * shadow KEYS, ARGV and cmsgpack, and gets its tables as they are. Absent values are nil, never cjson.null; a job's data
 * is text all the way, because cjson cannot tell `[]` from `{}`.
 *
 * KEYS: 1 the recorded number of partitions; 2 the record of the Idempotency-Key, if there is one.
 * ARGV: 1 partitions; 2 timestamp in ms; 3 {@link QUEUE_VERSION}; 4 digest of the payload; 5 TTL of the record in
 * seconds; 6 the kinds of jobs as JSON, each `[key prefix of its queue, name, options, session id, digest]`, since most
 * jobs of a batch differ in nothing but their data; then for each job: the number of its kind from 1 on, and its data. The
 * digest is there with an id of the caller's, and so is a kind of its own.
 * Replies `{'ADDED', id...}`, the id of a repeat with a `=` before it; `{'KNOWN', digest, id...}`; `{'CONFLICT', index}`,
 * from 0, when the caller's id was used for another job; or `{'PARTITIONS', recorded}` when Redis was set up for another
 * number of partitions. In the last three cases it has written nothing.
 *
 * A job is a repeat of one under its id that waits, runs, or was completed in the last day. One that failed is gone for
 * good, so what is posted under its id is a new job.
 */
export const ADD_JOBS = `
local function addStandardJob(KEYS, ARGV, cmsgpack)
${addStandardJob.content}
end
local function addDelayedJob(KEYS, ARGV, cmsgpack)
${addDelayedJob.content}
end
local function addPrioritizedJob(KEYS, ARGV, cmsgpack)
${addPrioritizedJob.content}
end

local partitions = redis.call('GET', KEYS[1])
if partitions and partitions ~= ARGV[1] then return {'PARTITIONS', partitions} end
if KEYS[2] then
  local known = redis.call('GET', KEYS[2])
  if known then
    local reply = {'KNOWN'}
    for part in string.gmatch(known, '%S+') do reply[#reply + 1] = part end
    return reply
  end
end

local plain = { unpack = function(value) return value end }
local timestamp = tonumber(ARGV[2])

local queues = {}
local function queueOf(prefix)
  local queue = queues[prefix]
  if queue then return queue end
  redis.call('HSETNX', prefix .. 'meta', 'version', ARGV[3])
  local function keys(...)
    local list = {...}
    for i = 1, #list do list[i] = prefix .. list[i] end
    return list
  end
  queue = {
    standard = keys('wait', 'paused', 'meta', 'id', 'completed', 'delayed', 'active', 'events', 'marker'),
    delayed = keys('marker', 'meta', 'id', 'delayed', 'completed', 'events'),
    prioritized = keys('marker', 'meta', 'id', 'prioritized', 'delayed', 'completed', 'active', 'events', 'pc'),
  }
  queues[prefix] = queue
  return queue
end

local kinds = cjson.decode(ARGV[6])
local function receiptOf(prefix, id)
  return '${keys.receipt('', '').slice(0, -1)}' .. string.sub(prefix, #'bull:' + 1) .. id
end
-- BullMQ itself adds no job when one of this id is there, and answers its id, whatever is in it.
local function isRepeat(prefix, id, digest)
  local job = prefix .. id
  if redis.call('EXISTS', job) == 1 then
    if redis.call('ZSCORE', prefix .. 'failed', id) then return false end
    return true, redis.call('HGET', job, '${DIGEST_FIELD}') == digest
  end
  if redis.call('HGET', receiptOf(prefix, id), 'state') ~= 'completed' then return false end
  local known = redis.call('GET', '${keys.jobId('')}' .. id)
  return true, not known or known == digest
end
local repeated, seen = {}, {}
for i = 7, #ARGV, 2 do
  local prefix, _, opts, _, digest = unpack(kinds[tonumber(ARGV[i])])
  if digest then
    local found, same = isRepeat(prefix, opts.jobId, digest)
    if seen[opts.jobId] then found, same = true, seen[opts.jobId] == digest end
    if found and not same then return {'CONFLICT', tostring((i - 7) / 2)} end
    repeated[i] = found
    seen[opts.jobId] = digest
  end
end
local reply = {'ADDED'}
local function add(i)
  local prefix, name, opts, session, digest = unpack(kinds[tonumber(ARGV[i])])
  if repeated[i] then return '=' .. opts.jobId end
  if digest then
    -- What a failed one of this id has left.
    redis.call('ZREM', prefix .. 'failed', opts.jobId)
    redis.call('DEL', prefix .. opts.jobId, prefix .. opts.jobId .. ':logs', receiptOf(prefix, opts.jobId))
  end
  local queue = queueOf(prefix)
  local argv = { { prefix, opts.jobId or '', name, timestamp }, ARGV[i + 1], opts }
  local id
  if opts.delay and opts.delay > 0 then
    id = addDelayedJob(queue.delayed, argv, plain)
  elseif opts.priority and opts.priority > 0 then
    id = addPrioritizedJob(queue.prioritized, argv, plain)
  else
    id = addStandardJob(queue.standard, argv, plain)
  end
  redis.call('HSET', prefix .. id, '${SESSION_FIELD}', session)
  if digest then
    redis.call('HSET', prefix .. id, '${DIGEST_FIELD}', digest)
    redis.call('SET', '${keys.jobId('')}' .. id, digest, 'EX', ARGV[5])
  end
  return id
end
for i = 7, #ARGV, 2 do reply[#reply + 1] = add(i) end

if KEYS[2] then
  redis.call('SET', KEYS[2], ARGV[4] .. ' ' .. table.concat(reply, ' ', 2), 'EX', ARGV[5])
end
return reply
`
