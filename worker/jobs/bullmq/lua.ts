import { OPERATION_NAMES } from '../../../shared/operations.ts'
import { CLOSINGS_FIELD, SESSION_FIELD } from '../../../shared/keys.ts'
import { CONTROL_JOBS } from '../control.ts'

/**
 * Largest data of a job that is read, in bytes. Providers of Redis refuse a reply above 10 MiB, after the script has run;
 * the edge takes no larger job, so this one is of a foreign producer.
 */
export const MOST_JOB_BYTES = 9 * 1024 * 1024

/** Stands among the fields of a job whose data is above {@link MOST_JOB_BYTES} and not there: its size. */
export const BYTES_FIELD = 'kurir:bytes'

/** Fields of a job's hash that are read, beside its data. Others may be of any size, and nobody asks for them. */
const FIELDS = ['name', 'opts', 'timestamp', 'atm', 'stc', 'defa', 'rjk', SESSION_FIELD, CLOSINGS_FIELD]
/** One that is larger is as good as absent: each has a default. */
const MOST_FIELD_BYTES = 64 * 1024

/**
 * The score under which parked jobs stand among BullMQ's prioritized ones, above any that a priority gives. So BullMQ's
 * own tools see them, count them, and drain them; `wait` and `paused` are lists, out of which each would have to be
 * sought, and no drain looks at `waiting-children`. What is to run is in front of them, and a fetch stops there.
 */
export const PARKED_SCORE = '1152921504606846976'

/** A Lua table with these names as keys. */
const luaSet = (names: readonly string[]) => `{${names.map(name => `['${name}'] = true`).join(', ')}}`

/**
 * Lua for all scripts that move jobs. `at` names the queue and its lanes: `prefix`, `now`, `lanes`, `controls`, `wait`,
 * `active`, `prioritized`, `delayed`, `parked`, `asides`.
 *
 * - `look(id)`: a job's name, session (nil: nobody has read it yet; '': it names none) and size, without its data; nil
 *   when its key holds no job at all, `gone` when it holds nothing. Counters that are no numbers are removed.
 * - `setAside(id, reason)`: notes what cannot be read. `told` has what was.
 * - `read(id, bytes)`: the fields of a job as JavaScript gets them, and their size; `pick` makes them of HGETALL's reply.
 * - `park(push, session, id, name)`: puts a job at the end of its session's lane that `push` names.
 */
export const JOBS = `
local CONTROLS, OPERATIONS = ${luaSet(CONTROL_JOBS)}, ${luaSet(OPERATION_NAMES)}
local at, told = {}, {}
local function whole(text)
  return not text or (#text <= 15 and string.match(text, '^%-?%d+$') ~= nil)
end
local function look(id)
  local key = at.prefix .. id
  local job = redis.pcall('HMGET', key, 'name', '${SESSION_FIELD}', 'ats', 'stc')
  if job.err then return nil end
  if not whole(job[3]) then redis.call('HDEL', key, 'ats') end
  if not whole(job[4]) then redis.call('HDEL', key, 'stc') end
  local bytes = redis.call('HSTRLEN', key, 'data')
  return {name = job[1] or '', session = job[2], bytes = bytes, gone = not job[1] and bytes == 0}
end
local function setAside(id, reason)
  redis.call('LPUSH', at.asides, at.now .. ' ' .. reason .. ' ' .. string.sub(id, 1, 200))
  redis.call('LTRIM', at.asides, 0, 999)
  redis.call('EXPIRE', at.asides, 604800)
  told[#told + 1] = {string.sub(id, 1, 200), reason}
end
-- Activating a job that somebody has removed makes a hash of what BullMQ counts in it. Its key may be another one of the
-- queue, such as that of its options: so only what was counted goes.
local function clear(id)
  redis.call('HDEL', at.prefix .. id, 'processedOn', 'ats', 'pb')
end
local FIELDS = ${luaSet(FIELDS)}
local function pick(flat, bytes)
  local fields, size = {}, 0
  local function add(name, value)
    fields[#fields + 1], fields[#fields + 2] = name, value
    size = size + #value
  end
  for i = 1, #flat, 2 do
    local name, value = flat[i], flat[i + 1]
    if value and (FIELDS[name] and #value <= ${MOST_FIELD_BYTES} or name == 'data' and bytes <= ${MOST_JOB_BYTES}) then
      add(name, value)
    end
  end
  if bytes > ${MOST_JOB_BYTES} then add('${BYTES_FIELD}', tostring(bytes)) end
  return fields, size
end
local function read(id, bytes)
  local flat = {}
  for name in pairs(FIELDS) do
    flat[#flat + 1] = name
    flat[#flat + 1] = redis.call('HGET', at.prefix .. id, name)
  end
  flat[#flat + 1] = 'data'
  flat[#flat + 1] = bytes <= ${MOST_JOB_BYTES} and redis.call('HGET', at.prefix .. id, 'data')
  return pick(flat, bytes)
end
local function park(push, session, id, name)
  redis.call(push, at.lanes .. session, id)
  if CONTROLS[name] then redis.call(push, at.controls .. session, id) end
  redis.call('ZADD', at.prioritized, ${PARKED_SCORE}, id)
  redis.call('SADD', at.parked, session)
end
local function isParked(id)
  return tonumber(redis.call('ZSCORE', at.prioritized, id) or 0) == ${PARKED_SCORE}
end
local function laneSizes(session)
  return redis.call('LLEN', at.lanes .. session), redis.call('LLEN', at.controls .. session)
end
`
