/**
 * Finds a job of a session in one command. KEYS: its receipt at each place where it may be. ARGV: 1 session id; then for
 * each of those places the key prefix of the queue and the id there. A job of another session is as good as none.
 * Replies `{'JOB', state, name, attempts, failedReason, returnvalue, finishedOn}` of a job that BullMQ has,
 * `{'RECEIPT', field, value, ...}` of one that ended, or nil.
 *
 * A job that is on its way wins over a receipt, since an id may be used again once its job is gone; of an ended job the
 * receipt knows more. A job in none of BullMQ's sets is parked in its session's lane, so it waits. Replies of wrong
 * types are no jobs either: an id may be made to hit another key of the queue.
 */
export const FIND_JOB = `
local session = ARGV[1]

local function receiptOf(key)
  local fields = redis.pcall('HGETALL', key)
  for i = 1, #fields, 2 do
    if fields[i] == 'sessionId' and fields[i + 1] == session then return fields end
  end
end

local function jobOf(prefix, id)
  local job = redis.pcall('HMGET', prefix .. id, 'data', 'name', 'atm', 'failedReason', 'returnvalue', 'finishedOn')
  if not job[1] then return nil end
  local ok, data = pcall(cjson.decode, job[1])
  if ok and type(data) == 'table' and data.sessionId == session then return job end
end

local function stateOf(prefix, id)
  if redis.call('ZSCORE', prefix .. 'completed', id) then return 'completed' end
  if redis.call('ZSCORE', prefix .. 'failed', id) then return 'failed' end
  if redis.call('ZSCORE', prefix .. 'delayed', id) then return 'delayed' end
  if redis.call('LPOS', prefix .. 'active', id) then return 'active' end
  return 'waiting'
end

for place, key in ipairs(KEYS) do
  local prefix, id = ARGV[2 * place], ARGV[2 * place + 1]
  local job = jobOf(prefix, id)
  local state = job and stateOf(prefix, id)
  local ended = not job or state == 'completed' or state == 'failed'
  local receipt = ended and receiptOf(key)
  if receipt then return {'RECEIPT', unpack(receipt)} end
  if job then return {'JOB', state, job[2], job[3], job[4], job[5], job[6]} end
end
return nil
`
