import { addDelayedJob } from 'bullmq/dist/esm/scripts/addDelayedJob-6.js'
import { addPrioritizedJob } from 'bullmq/dist/esm/scripts/addPrioritizedJob-9.js'
import { addStandardJob } from 'bullmq/dist/esm/scripts/addStandardJob-9.js'
import { version } from 'bullmq/dist/esm/version.js'
import { SESSION_FIELD } from '../../shared/keys.ts'

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
 * seconds; 6 the kinds of jobs as JSON, each `[key prefix of its queue, name, options, session id]`, since most jobs of a
 * batch differ in nothing but their data; then for each job: the number of its kind from 1 on, and its data.
 * Replies `{'ADDED', id...}`, `{'KNOWN', digest, id...}`, or `{'PARTITIONS', recorded}` when Redis was set up for another
 * number of partitions. In the last two cases it has written nothing.
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
local reply = {'ADDED'}
for i = 7, #ARGV, 2 do
  local prefix, name, opts, session = unpack(kinds[tonumber(ARGV[i])])
  -- BullMQ adds no job when one of this id is there, and answers its id: that may be another session's.
  local known = opts.jobId and redis.call('EXISTS', prefix .. opts.jobId) == 1
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
  if not known then redis.call('HSET', prefix .. id, '${SESSION_FIELD}', session) end
  reply[#reply + 1] = id
end

if KEYS[2] then
  redis.call('SET', KEYS[2], ARGV[4] .. ' ' .. table.concat(reply, ' ', 2), 'EX', ARGV[5])
end
return reply
`
