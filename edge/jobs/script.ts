import { SESSION_FIELD } from '../../shared/keys.ts'

/** Data that is read to see whose a job is: with more of it, the reply would be above what providers of Redis send. */
const MOST_UNREAD_BYTES = 9 * 1024 * 1024

/**
 * Finds a job of a session in one command. KEYS: its receipt at each place where it may be. ARGV: 1 session id; then for
 * each of those places the key prefix of the queue and the id there. A job of another session is as good as none.
 * Replies a list of what it may be, the first that is the session's counts: `{'JOB', state, name, attempts, failedReason,
 * returnvalue, finishedOn, data}` of a job that BullMQ has, `{'RECEIPT', field, value, ...}` of one that ended. `data` is
 * there when a foreign producer added the job and no worker has looked at it yet: whose it is, the caller has to read.
 *
 * A job that is on its way wins over a receipt, since an id may be used again once its job is gone; of an ended job the
 * receipt knows more. A job in none of BullMQ's sets is parked in its session's lane, so it waits. Replies of wrong
 * types are no jobs either: an id may be made to hit another key of the queue.
 */
export const FIND_JOB = `
local session, unread = ARGV[1], 0

local function receiptOf(key)
  local fields = redis.pcall('HGETALL', key)
  for i = 1, #fields, 2 do
    if fields[i] == 'sessionId' and fields[i + 1] == session then return fields end
  end
end

local function jobOf(prefix, id)
  local job = redis.pcall('HMGET', prefix .. id, '${SESSION_FIELD}', 'name', 'atm', 'failedReason', 'returnvalue',
    'finishedOn')
  if job.err or not job[2] then return nil end
  if job[1] == session then return job end
  unread = unread + redis.call('HSTRLEN', prefix .. id, 'data')
  if job[1] or unread > ${MOST_UNREAD_BYTES} then return nil end
  job[7] = redis.call('HGET', prefix .. id, 'data')
  -- What names no session is nobody's: broken, or the mark of a job that was forwarded.
  return job[7] and job or nil
end

local function stateOf(prefix, id)
  if redis.call('ZSCORE', prefix .. 'completed', id) then return 'completed' end
  if redis.call('ZSCORE', prefix .. 'failed', id) then return 'failed' end
  if redis.call('ZSCORE', prefix .. 'delayed', id) then return 'delayed' end
  if redis.call('LPOS', prefix .. 'active', id) then return 'active' end
  return 'waiting'
end

local found = {}
for place, key in ipairs(KEYS) do
  local prefix, id = ARGV[2 * place], ARGV[2 * place + 1]
  local job = jobOf(prefix, id)
  local state = job and stateOf(prefix, id)
  local ended = not job or state == 'completed' or state == 'failed'
  local receipt = ended and receiptOf(key)
  if receipt then
    found[#found + 1] = {'RECEIPT', unpack(receipt)}
    break
  end
  if job then
    found[#found + 1] = {'JOB', state, job[2], job[3], job[4], job[5], job[6], job[7]}
    if not job[7] then break end
  end
end
return found
`
