import { SESSION_FIELD } from '../../../shared/keys.ts'
import { fencedScript } from '../../redis/fenced.ts'
import { JOBS, MOST_JOB_BYTES, PARKED_SCORE } from './lua.ts'
import { MOVE_TO_ACTIVE, NO_LOCK } from './scripts.ts'

/** Jobs that one command may move: longer, and it would delay Redis' other clients. */
const MOST_MOVES = 300
/** Jobs without a session that one reply hands out. */
const MOST_UNREAD = 64
/** BullMQ's own limit of priorities. */
const MOST_PRIORITY = 2 ** 21

// `nextJob()`: BullMQ's own move of the queue's next job to 'active': its fields and id, or why there is none. BullMQ moves
// what has become due among the delayed jobs first, up to a thousand, and would lose all of them at one whose key is no
// job: so those are looked at before.
const TAKING = `${MOVE_TO_ACTIVE}${JOBS}
at = {prefix = ARGV[1], now = ARGV[2], lanes = ARGV[3], controls = ARGV[4], worker = ARGV[5], wait = KEYS[1], active = KEYS[2],
  prioritized = KEYS[3], delayed = KEYS[7], parked = KEYS[12], asides = KEYS[13]}
local options = cmsgpack.pack({token = '${NO_LOCK}', name = at.worker})
local due, allDue = KEYS[14], false
local function lookAtDue()
  if allDue then return end
  local ids = redis.call('ZRANGEBYSCORE', at.delayed, 0, (at.now + 1) * 0x1000 - 1, 'LIMIT', 0, 1000)
  allDue = #ids < 1000
  for _, id in ipairs(ids) do
    local job = look(id)
    if not job or job.gone then redis.call('ZREM', at.delayed, id) end
    if not job then setAside(id, 'NO_JOB') end
    local priority = job and redis.call('HGET', at.prefix .. id, 'priority')
    if priority and not (whole(priority) and tonumber(priority) >= 0 and tonumber(priority) <= ${MOST_PRIORITY}) then
      redis.call('HSET', at.prefix .. id, 'priority', 0)
    end
  end
end
local function nextJob(prioritized)
  lookAtDue()
  return moveToActive({KEYS[1], KEYS[2], prioritized or KEYS[3], unpack(KEYS, 4, 11)}, {at.prefix, at.now, options})
end
-- A job that is too large to be read goes to 'active' without BullMQ, which would read it. It can but be failed.
local function takeUnread(id, bytes)
  redis.call('LPUSH', at.active, id)
  return {id, (read(id, bytes))}
end
`

// A lane with parked jobs must park whatever comes after them. That is done here, in the same script as the fetch: a
// crash between the two would leave newer jobs in 'active' than in the lane, and nobody could tell their order. So, for
// each session, everything in 'active' is older than everything in its lane. Whose a job is must be known before: at one
// that nobody has read yet the fetch stops and hands it out, and it keeps its place until it has been labelled.
/** See `Source.fetch`. */
export const FETCH = fencedScript(`${TAKING}
local room, budget = tonumber(ARGV[6]), tonumber(ARGV[7])
local anyParked = redis.call('EXISTS', at.parked) == 1
local paused, concurrency = unpack(redis.call('HMGET', KEYS[9], 'paused', 'concurrency'))
local grown, order = {}, {}
local jobs, moves, bytes, last, unread = {}, 0, 0, nil, {}
local function peek()
  local id = redis.call('LINDEX', at.wait, -1)
  if id then return id, true end
  local urgent = redis.call('ZRANGE', at.prioritized, 0, 0, 'WITHSCORES')
  if urgent[1] and tonumber(urgent[2]) < ${PARKED_SCORE} then return urgent[1], false end
  return nil, urgent[1] ~= nil
end
local function remove(id, waits)
  if waits then redis.call('RPOP', at.wait) else redis.call('ZREM', at.prioritized, id) end
end
-- Only parked jobs are left among the prioritized: those that become due now go to a set of their own.
local function nextDue()
  local reply = nextJob(due)
  local rest = redis.call('ZRANGE', due, 0, -1, 'WITHSCORES')
  for i = 1, #rest, 2 do redis.call('ZADD', at.prioritized, rest[i + 1], rest[i]) end
  redis.call('DEL', due)
  return reply
end
local function handOut(first, waits)
  local ids = waits and redis.call('LRANGE', at.wait, -${MOST_UNREAD}, -1) or {first}
  for i = #ids, 1, -1 do
    local job = look(ids[i])
    if job and not job.gone and not job.session then
      if job.bytes > ${MOST_JOB_BYTES} then
        redis.call('HSET', at.prefix .. ids[i], '${SESSION_FIELD}', '')
      elseif bytes > 0 and bytes + job.bytes > budget then
        break
      else
        bytes = bytes + job.bytes
        unread[#unread + 1] = {ids[i], redis.call('HGET', at.prefix .. ids[i], 'data') or ''}
      end
    end
  end
end
while #jobs < room and moves < ${MOST_MOVES} do
  moves = moves + 1
  local id, waits
  if not paused then id, waits = peek() end
  local job = id and look(id)
  local laned = job and anyParked and not OPERATIONS[job.name]
  if id and not job then
    remove(id, waits)
    setAside(id, 'NO_JOB')
  elseif job and job.gone then
    remove(id, waits)
  elseif job and #jobs > 0 and bytes + job.bytes > budget then
    break
  elseif laned and not job.session then
    handOut(id, waits)
    break
  elseif laned and job.session ~= '' and redis.call('SISMEMBER', at.parked, job.session) == 1 then
    remove(id, waits)
    if not isParked(id) then park('RPUSH', job.session, id, job.name) end
    if not grown[job.session] then grown[job.session] = true order[#order + 1] = job.session end
  elseif job and job.bytes > ${MOST_JOB_BYTES} then
    remove(id, waits)
    jobs[#jobs + 1] = takeUnread(id, job.bytes)
  else
    local reply
    if not id and waits then reply = nextDue() else reply = nextJob() end
    if type(reply[1]) ~= 'table' then last = reply break end
    if reply[2] == id then
      local fields, size = pick(reply[1], job.bytes)
      bytes = bytes + size
      jobs[#jobs + 1] = {id, fields}
    else
      -- It has just become due, and nobody has looked at it: it is the queue's next.
      redis.call('LREM', at.active, 1, reply[2])
      redis.call('RPUSH', at.wait, reply[2])
      redis.call('HINCRBY', at.prefix .. reply[2], 'ats', -1)
      if redis.call('HEXISTS', KEYS[9], 'max') == 1 then redis.call('DECR', KEYS[6]) end
    end
  end
end
local notices = {}
for _, session in ipairs(order) do
  local length, urgent = laneSizes(session)
  notices[#notices + 1] = {session, length, urgent}
end
local refused = 0
if last then
  -- BullMQ leaves a marker behind each job it hands out. With nothing left it would only wake us for nothing.
  redis.call('ZREM', KEYS[11], '0')
  refused = redis.call('LLEN', at.wait) + redis.call('ZCOUNT', at.prioritized, '-inf', '(${PARKED_SCORE}')
end
return {jobs, notices, last and 1 or 0, refused, last and last[3] or 0, last and last[4] or 0, told, unread,
  concurrency and 1 or 0}
`)

/** See `Source.refill`. */
export const REFILL = fencedScript(`${TAKING}
local bytes, budget, jobs, moves, refused, full = 0, tonumber(ARGV[6]), 0, 0, false, false
-- Where an id stands in its lane twice, or was taken out by a tool, the job has its place elsewhere.
local function elsewhere(id)
  if isParked(id) then return false end
  return redis.call('ZSCORE', at.prioritized, id) or redis.call('ZSCORE', at.delayed, id)
    or redis.call('HEXISTS', at.prefix .. id, 'finishedOn') == 1 or redis.call('LPOS', at.active, id)
end
-- BullMQ activates what stands at the consuming end of 'wait'; so it does for a parked job, its limits included.
local function activate(id, job)
  redis.call('RPUSH', at.wait, id)
  local reply = nextJob()
  if type(reply[1]) ~= 'table' then
    redis.call('RPOP', at.wait)
    refused = true
    return nil
  end
  local fields, size = pick(reply[1], job.bytes)
  bytes = bytes + size
  return {id, fields}
end
local replies = {}
for i = 7, #ARGV, 3 do
  local session, count, from = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local lane, urgent = at.lanes .. session, at.controls .. session
  local source = from == 'head' and lane or urgent
  local taken = {}
  while #taken < count and moves < ${MOST_MOVES} and not refused and not full do
    local id = redis.call('LINDEX', source, 0)
    if not id then break end
    moves = moves + 1
    local job, got = look(id), nil
    if not job then
      setAside(id, 'NO_JOB')
    elseif not job.gone and not elsewhere(id) then
      if jobs > 0 and bytes + job.bytes > budget then
        full = true
        break
      end
      got = job.bytes > ${MOST_JOB_BYTES} and takeUnread(id, job.bytes) or activate(id, job)
      if not got then break end
    end
    redis.call('LREM', lane, 1, id)
    redis.call('LREM', urgent, 1, id)
    if isParked(id) then redis.call('ZREM', at.prioritized, id) end
    if got then
      jobs = jobs + 1
      taken[#taken + 1] = got
    end
  end
  local length, controls = laneSizes(session)
  if length == 0 then redis.call('SREM', at.parked, session) end
  replies[#replies + 1] = {session, taken, length, controls}
end
return {replies, refused and 1 or 0, told}
`)
