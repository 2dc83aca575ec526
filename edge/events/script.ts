/**
 * Tells how the delivery of a session's events stands, in one command and without a body. KEYS: 1 cursor; 2 outbox;
 * 3 poison (see worker/outbox/scripts.ts); 4 endpoint. ARGV: 1 how many parked events to list.
 * Replies nil for a session that has never had an event, else `{lastSeq, cursor, attempts, first kept entry id or '',
 * oldest undelivered entry id or '', its time in ms or '', number of parked events, {seq, id, at, parkedAt, attempts,
 * reason}..., {state of the endpoint, since} or {}}`, the oldest parked events first.
 */
export const FIND_EVENTS = `
local state = redis.call('HMGET', KEYS[1], 'seq', 'cursor', 'attempt')
if not state[1] then return nil end
local cursor = state[2] or '0'
local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
local oldest = redis.call('XRANGE', KEYS[2], '(' .. cursor .. '-0', '+', 'COUNT', 1)[1]

local seqs = redis.call('HKEYS', KEYS[3])
table.sort(seqs, function(a, b) return tonumber(a) < tonumber(b) end)
local function integer(n) return string.format('%.0f', n) end
local parked = {}
for i = 1, math.min(#seqs, tonumber(ARGV[1])) do
  local record = cjson.decode(redis.call('HGET', KEYS[3], seqs[i]))
  local times = {integer(record.at), integer(record.parkedAt), integer(record.attempts)}
  parked[i] = {seqs[i], record.id, times[1], times[2], times[3], record.reason}
end

local reply = {state[1], cursor, state[3] or '0', first and first[1] or ''}
reply[5], reply[6] = oldest and oldest[1] or '', oldest and oldest[2][4] or ''
reply[7], reply[8] = #seqs, parked
local endpoint = redis.call('HMGET', KEYS[4], 'state', 'since')
reply[9] = endpoint[1] and endpoint or {}
return reply
`
