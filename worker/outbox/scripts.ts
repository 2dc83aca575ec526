import { fencedScript } from '../redis/fenced.ts'
import { REMEMBERED } from './outbox.ts'

/**
 * The outbox in Redis. Everything known about a session's outbox changes in these scripts only.
 * - stream `outbox`: entry `<seq>-0` with `id` (webhook-id), `at` (ms), `body` (the exact text to send) and `end` (bytes of
 *   all bodies up to this one since the session began; entries of before November 2026 have none, and count as nothing)
 * - hash `cursor`: `seq` of the newest event, `last` (its id), `stored` (its `end`), `cursor` (seq up to which all is
 *   settled), `settled` (its `end`: what lies between the two awaits delivery), `attempt` and
 *   `since` (ms of the first attempt) of the event after the cursor while it fails, `deleted` once the session is,
 *   `redriven` (`<seq> <new seq>`)
 * - sorted set `undelivered` of the partition: sessions with events after the cursor, by next attempt
 * - hash `poison`: given up events by seq
 * - list `received`: names of the messages from WhatsApp that the last events tell of, newest first
 *
 * A full Redis refuses a script's first write when that can grow, and what comes after another one never. So all that moves
 * the cursor begins with an HDEL: an outbox that fills Redis can be delivered. What appends waits.
 */

/** Numbers above 10^14 would otherwise come out in exponents. */
const INTEGER = `local function integer(n) return string.format('%.0f', n) end
`

/** Lua: `waiting(cursor)` answers how many bytes of a session's events await delivery. */
const WAITING = `local function waiting(cursor)
  local state = redis.call('HMGET', cursor, 'stored', 'settled')
  return tonumber(state[1] or '0') - tonumber(state[2] or '0')
end
`

/** Nothing awaits delivery any more: forget a deleted session, let the others keep what was delivered for a while. */
const FINISH = `local function finish(cursor, outbox, undelivered, poison, session, keepMs)
  redis.call('ZREM', undelivered, session)
  if redis.call('HEXISTS', cursor, 'deleted') == 1 then
    redis.call('DEL', cursor, outbox, poison)
  else
    redis.call('HSET', cursor, 'settled', redis.call('HGET', cursor, 'stored') or '0')
    redis.call('PEXPIRE', outbox, keepMs)
  end
end
`

/**
 * Lua: `store(cursor, outbox, undelivered, session, id, at, body)` puts one event at the end of an outbox and answers
 * its seq. It leaves the cursor's `last` alone, by which a repeated append knows that it was done. Scripts that write
 * what an event tells of store the event with it, so that no crash can come between the two.
 */
export const STORE = `local function store(cursor, outbox, undelivered, session, id, at, body)
  local seq = redis.call('HINCRBY', cursor, 'seq', 1)
  local stored = redis.call('HINCRBY', cursor, 'stored', #body)
  redis.call('XADD', outbox, string.format('%.0f', seq) .. '-0', 'id', id, 'at', at, 'body', body,
    'end', string.format('%.0f', stored))
  redis.call('PERSIST', outbox)
  redis.call('ZADD', undelivered, 'NX', at, session)
  return seq
end
`

/**
 * KEYS cursor outbox undelivered view received; ARGV session now count names (id body)*count name*names view-field
 * view-value ... A repeat of the same call, after a reply that got lost, changes nothing. Answers {the last event's seq,
 * bytes that await delivery}.
 */
export const appendScript = fencedScript(`${INTEGER}${WAITING}
local count, names = tonumber(ARGV[3]), tonumber(ARGV[4])
local last = ARGV[3 + 2 * count]
if redis.call('HGET', KEYS[1], 'last') ~= last then
  local state = redis.call('HMGET', KEYS[1], 'seq', 'stored')
  local seq, stored = tonumber(state[1] or '0'), tonumber(state[2] or '0')
  for i = 1, count do
    local id, body = ARGV[3 + 2 * i], ARGV[4 + 2 * i]
    seq, stored = seq + 1, stored + #body
    redis.call('XADD', KEYS[2], integer(seq) .. '-0', 'id', id, 'at', ARGV[2], 'body', body, 'end', integer(stored))
  end
  redis.call('HSET', KEYS[1], 'seq', integer(seq), 'stored', integer(stored), 'last', last)
  redis.call('HDEL', KEYS[1], 'deleted')
  redis.call('PERSIST', KEYS[2])
  redis.call('ZADD', KEYS[3], 'NX', ARGV[2], ARGV[1])
  local first = 5 + 2 * count
  if names > 0 then
    redis.call('LPUSH', KEYS[5], unpack(ARGV, first, first + names - 1))
    redis.call('LTRIM', KEYS[5], 0, ${REMEMBERED - 1})
  end
  if #ARGV >= first + names then
    redis.call('DEL', KEYS[4])
    redis.call('HSET', KEYS[4], unpack(ARGV, first + names))
  end
end
return { redis.call('HGET', KEYS[1], 'seq'), waiting(KEYS[1]) }
`)

/** KEYS cursor outbox undelivered view poison received; ARGV session. Answers 1 if the outbox is gone already. */
export const deleteScript = fencedScript(`
redis.call('DEL', KEYS[4], KEYS[6])
if redis.call('ZSCORE', KEYS[3], ARGV[1]) then
  redis.call('HSET', KEYS[1], 'deleted', '1')
  return 0
end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[5])
return 1
`)

/** Most bytes of events that are read together, unless the first alone has more. */
const READ_BYTES = 64 * 1024

/**
 * Lua: `read(outbox, cursor, want)` answers the first `want` events after the cursor, fewer when they are large: providers
 * refuse a reply above 10 MiB, and whoever writes the messages decides how large they are.
 */
const READ = `local function read(outbox, cursor, want)
  local entries, bytes = {}, 0
  while #entries < want do
    local entry = redis.call('XRANGE', outbox, '(' .. cursor, '+', 'COUNT', 1)[1]
    if not entry then break end
    bytes = bytes + #entry[2][6]
    if #entries > 0 and bytes > ${READ_BYTES} then break end
    entries[#entries + 1] = entry
    cursor = entry[1]
  end
  return entries
end
`

/**
 * KEYS cursor outbox undelivered poison; ARGV session want keepMs. Answers {cursor, attempt, since, entries, lost,
 * bytes that await delivery}: up to `want` events after the cursor. `lost` counts events that are numbered but no longer stored (someone
 * deleted the stream); without settling them the deliverer would look for them for ever.
 */
export const loadScript = fencedScript(`${READ}${WAITING}${FINISH}
local state = redis.call('HMGET', KEYS[1], 'cursor', 'attempt', 'since', 'seq')
local cursor = state[1] or '0'
local entries = read(KEYS[2], cursor .. '-0', tonumber(ARGV[2]))
local lost = 0
if #entries == 0 then
  lost = tonumber(state[4] or '0') - tonumber(cursor)
  if lost > 0 then
    redis.call('HDEL', KEYS[1], 'attempt', 'since')
    redis.call('HSET', KEYS[1], 'cursor', state[4])
  end
  finish(KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1], ARGV[3])
end
return { cursor, state[2] or '0', state[3] or '0', entries, lost, waiting(KEYS[1]) }
`)

/**
 * KEYS cursor outbox undelivered poison; ARGV session cursor seq now want keepCount keepMs poison-record-or-empty
 * end-or-empty keepBytes. Moves the cursor from `cursor` to `seq`, parks the event if there is a record of it, drops
 * delivered events beyond retention, by age and bytes only now and then. Answers {'moved'} if someone (a replay) has moved
 * the cursor since it was read, else {'settled', entries, bytes that await delivery} with up to `want` further events;
 * none means that nothing awaits delivery any more, or that want was 0.
 */
export const settleScript = fencedScript(`${INTEGER}${READ}${WAITING}${FINISH}
if (redis.call('HGET', KEYS[1], 'cursor') or '0') ~= ARGV[2] then return { 'moved' } end
local seq, now, settled = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[9])
local failed = redis.call('HDEL', KEYS[1], 'attempt', 'since') > 0
redis.call('HSET', KEYS[1], 'cursor', ARGV[3])
if settled then redis.call('HSET', KEYS[1], 'settled', ARGV[9]) end
if ARGV[8] ~= '' then redis.call('HSET', KEYS[4], ARGV[3], ARGV[8]) end
if failed then redis.call('ZADD', KEYS[3], 'XX', ARGV[4], ARGV[1]) end
local keepFrom = seq - tonumber(ARGV[6]) + 1
if keepFrom > 1 then redis.call('XTRIM', KEYS[2], 'MINID', integer(keepFrom) .. '-0') end
if seq % 8 == 0 then
  local since, from = now - tonumber(ARGV[7]), settled and settled - tonumber(ARGV[10])
  for _ = 1, 16 do
    local oldest = redis.call('XRANGE', KEYS[2], '-', ARGV[3] .. '-0', 'COUNT', 1)[1]
    if not oldest then break end
    local upto = tonumber(oldest[2][8])
    if tonumber(oldest[2][4]) >= since and not (from and upto and upto < from) then break end
    redis.call('XDEL', KEYS[2], oldest[1])
  end
end
if tonumber(redis.call('HGET', KEYS[1], 'seq')) <= seq then
  finish(KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1], ARGV[7])
  return { 'settled', {}, 0 }
end
if ARGV[5] == '0' then return { 'settled', {}, waiting(KEYS[1]) } end
return { 'settled', read(KEYS[2], ARGV[3] .. '-0', tonumber(ARGV[5])), waiting(KEYS[1]) }
`)

/** KEYS cursor undelivered; ARGV session cursor attempt since nextAt. Answers 1, or 0 if the cursor was moved. */
export const deferScript = fencedScript(`
if (redis.call('HGET', KEYS[1], 'cursor') or '0') ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], 'attempt', 'since')
redis.call('HSET', KEYS[1], 'attempt', ARGV[3], 'since', ARGV[4])
redis.call('ZADD', KEYS[2], 'XX', ARGV[5], ARGV[1])
return 1
`)

/**
 * KEYS cursor outbox undelivered; ARGV session from now. Moves the cursor back; answers {how many are sent again, or -1
 * if the session has never had an event, bytes that await delivery}.
 */
export const replayScript = fencedScript(`${INTEGER}${WAITING}
if redis.call('EXISTS', KEYS[1]) == 0 then return { -1, 0 } end
local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
if not oldest then return { 0, waiting(KEYS[1]) } end
local cursor = tonumber(redis.call('HGET', KEYS[1], 'cursor') or '0')
local from = math.max(tonumber(ARGV[2]), tonumber(string.match(oldest[1], '^%d+')))
if from > cursor then return { 0, waiting(KEYS[1]) } end
local first = redis.call('XRANGE', KEYS[2], integer(from) .. '-0', '+', 'COUNT', 1)[1]
local upto = first and tonumber(first[2][8])
redis.call('HDEL', KEYS[1], 'attempt', 'since')
redis.call('HSET', KEYS[1], 'cursor', integer(from - 1))
if upto then redis.call('HSET', KEYS[1], 'settled', integer(upto - #first[2][6])) end
redis.call('PERSIST', KEYS[2])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
return { cursor - from + 1, waiting(KEYS[1]) }
`)

/**
 * KEYS cursor outbox undelivered poison; ARGV session seq now id body. Puts a parked event at the end of the outbox
 * under a new seq and its old id, so that seq never goes back. Answers the new seq, or 0 if it was not parked. The
 * newest redrive is remembered: a repeat of it, after a crash or a lost reply, changes nothing and answers the same.
 */
export const redriveScript = fencedScript(`${STORE}
if ARGV[4] == '' or redis.call('HDEL', KEYS[4], ARGV[2]) == 0 then
  local from, to = string.match(redis.call('HGET', KEYS[1], 'redriven') or '', '^(%d+) (%d+)$')
  return from == ARGV[2] and tonumber(to) or 0
end
local seq = store(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[4], ARGV[3], ARGV[5])
redis.call('HSET', KEYS[1], 'redriven', ARGV[2] .. ' ' .. string.format('%.0f', seq))
return seq
`)

/**
 * KEYS (cursor outbox) of each session. Answers {depth, ms of the oldest undelivered event or 0, bytes} of each; nothing but
 * zeros of one whose keys somebody broke, since the others must be known.
 */
export const surveyScript = fencedScript(`${WAITING}
local function look(cursorKey, outbox)
  local state = redis.call('HMGET', cursorKey, 'seq', 'cursor')
  local cursor = state[2] or '0'
  local head = redis.call('XRANGE', outbox, '(' .. cursor .. '-0', '+', 'COUNT', 1)[1]
  return { tonumber(state[1] or '0') - tonumber(cursor), head and head[2][4] or '0', waiting(cursorKey) }
end
local found = {}
for i = 1, #KEYS, 2 do
  local looked, answer = pcall(look, KEYS[i], KEYS[i + 1])
  found[#found + 1] = looked and answer or { 0, '0', 0 }
end
return found
`)
