import { FORWARDED_FIELD } from '../../../shared/keys.ts'

/** The field of a forwarded job that says where its producer put it: the queue's prefix, a space, the id it had there. */
const ORIGIN_FIELD = 'kurir:origin'

/** How long a producer may wait for a job that was forwarded, in ms; the mark in its queue is gone then. */
const LONGEST_WAIT_MS = 14 * 24 * 60 * 60 * 1000

/**
 * Lua: `leaveMark(from, fromPrefix, id, to, newId, name)` leaves behind, where a forwarded job was, a hash without its data,
 * and notes in the job where that is. BullMQ's `waitUntilFinished` looks for the job under the id that it gave, and a job
 * that is added again under the id counts as there, as it does with BullMQ.
 */
export const LEAVE_MARK = `local function leaveMark(from, fromPrefix, id, to, newId, name)
  if redis.call('HSETNX', to, '${ORIGIN_FIELD}', fromPrefix .. ' ' .. id) == 0 then return end
  redis.call('HSET', from, 'name', name, '${FORWARDED_FIELD}', newId)
  redis.call('PEXPIRE', from, ${LONGEST_WAIT_MS})
end
`

/**
 * Lua: `originOf(id, job)` answers where a forwarded job came from, nil for others; `tellOrigin` tells those who listen there
 * how it ended, as BullMQ tells of a queue's own jobs, and removes the mark.
 */
export const TELL_ORIGIN = `local function originOf(id, job)
  return string.sub(id, 1, 5) == 'from-' and redis.call('HGET', job, '${ORIGIN_FIELD}') or nil
end
local function tellOrigin(origin, state, property, value)
  local prefix, id = string.match(origin, '^(%S+) (.*)$')
  if not prefix then return end
  if redis.call('HEXISTS', prefix .. id, '${FORWARDED_FIELD}') == 1 then redis.call('DEL', prefix .. id) end
  redis.call('XADD', prefix .. 'events', 'MAXLEN', '~', 10000, '*', 'event', state, 'jobId', id, property, value, 'prev', 'active')
end
`
