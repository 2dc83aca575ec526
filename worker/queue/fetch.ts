import type { Redis } from 'ioredis'
import { keys } from '../../shared/keys.ts'
import { OPERATION_NAMES } from '../../shared/operations.ts'
import { fencedScript } from '../redis/fenced.ts'
import type { Clock, Fence } from '../types.ts'
import { CONTROL_JOBS } from './control.ts'
import { moveToActiveKeys, type Layout } from './layout.ts'
import type { RawJob } from './read.ts'
import { MOVE_TO_ACTIVE, NO_LOCK } from './scripts.ts'

/** How much of a session's lane is in Redis. */
export interface Parked {
  sessionId: string
  jobs: number
  /** How many of them are START, STOP or DELETE. */
  controls: number
}

/** What a fetch brought. */
export interface Fetched {
  /** Now in `active`, in the queue's order. */
  jobs: RawJob[]
  /** Lanes that grew: jobs whose session had parked ones were put behind them and not brought here. */
  parked: Parked[]
  /** Whether nothing more is to be had now. */
  dry: boolean
  /** Jobs that wait although nothing is to be had: the queue is paused, or its limits are reached. */
  refused: number
  /** How long the queue's rate limit still forbids more, in ms. */
  limitedMs: number
  /** The time in ms of the next delayed job, or 0. */
  nextDelayed: number
}

/** What a lane is to be given back of its parked jobs: the oldest, or its controls alone. */
export interface Refill {
  sessionId: string
  count: number
  from: 'head' | 'controls'
}

/** What a {@link Refill} brought. */
export interface Refilled extends Parked {
  taken: RawJob[]
}

/** Jobs that one fetch may move in Redis: longer, and the script would delay Redis' other clients. */
const MOST_MOVES = 300

const SHARED = `
local prefix, now, lanes, laneControls = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local parked = KEYS[12]
local options = cmsgpack.pack({token = '${NO_LOCK}'})
local function sizes(session)
  return redis.call('LLEN', lanes .. session), redis.call('LLEN', laneControls .. session)
end
`

// A lane with parked jobs must park whatever comes after them. That is done here, in the same script as the fetch: a
// crash between the two would leave newer jobs in 'active' than in the lane, and nobody could tell their order. So, for
// each session, everything in 'active' is older than everything in its lane.
const FETCH = fencedScript(`${MOVE_TO_ACTIVE}${SHARED}
local room, budget = tonumber(ARGV[5]), tonumber(ARGV[6])
local controls, operations = ${luaSet(CONTROL_JOBS)}, ${luaSet(OPERATION_NAMES)}
local anyParked = redis.call('EXISTS', parked) == 1
local paused = redis.call('HEXISTS', KEYS[9], 'paused') == 1
local function laneOf(name, data)
  -- An operation is done without its session's lane, so it is never parked in it.
  if operations[name or ''] then return nil end
  local ok, value = pcall(cjson.decode, data)
  if not ok or type(value) ~= 'table' or type(value.sessionId) ~= 'string' then return nil end
  if redis.call('SISMEMBER', parked, value.sessionId) == 1 then return value.sessionId end
  return nil
end
local grown, order = {}, {}
local function park(id, session, name)
  redis.call('RPUSH', lanes .. session, id)
  if controls[name] then redis.call('RPUSH', laneControls .. session, id) end
  if not grown[session] then grown[session] = true order[#order + 1] = session end
end
-- Parks the queue's next job without making it active, which is most of the work. True when it did.
local function parkNext()
  local id = redis.call('LINDEX', KEYS[1], -1)
  if not id then return false end
  local job = redis.call('HMGET', prefix .. id, 'data', 'name')
  local session = job[1] and laneOf(job[2], job[1])
  if not session then return false end
  redis.call('RPOP', KEYS[1])
  park(id, session, job[2])
  return true
end
local jobs, moves, bytes, last = {}, 0, 0, nil
while #jobs < room and moves < ${MOST_MOVES} and bytes < budget do
  moves = moves + 1
  if paused or not anyParked or not parkNext() then
    local reply = moveToActive(KEYS, {prefix, now, options})
    if type(reply[1]) ~= 'table' then last = reply break end
    local fields, id = reply[1], reply[2]
    local name, data
    for i = 1, #fields, 2 do
      if fields[i] == 'name' then name = fields[i + 1] elseif fields[i] == 'data' then data = fields[i + 1] end
    end
    -- Prioritized jobs, and delayed ones that have just become due, were not seen before.
    local session = anyParked and data and laneOf(name, data)
    if not name and not data then
      -- Somebody removed the job while its id stood in the queue; activating it has made a stub.
      redis.call('LREM', KEYS[2], 1, id)
      redis.call('DEL', prefix .. id)
    elseif session then
      redis.call('LREM', KEYS[2], 1, id)
      redis.call('HINCRBY', prefix .. id, 'ats', -1)
      park(id, session, name)
    else
      for i = 1, #fields do bytes = bytes + #fields[i] end
      jobs[#jobs + 1] = {id, fields}
    end
  end
end
local notices = {}
for _, session in ipairs(order) do
  local length, urgent = sizes(session)
  notices[#notices + 1] = {session, length, urgent}
end
local refused = 0
if last then
  -- BullMQ leaves a marker behind each job it hands out. With nothing left it would only wake us for nothing.
  redis.call('ZREM', KEYS[11], '0')
  refused = redis.call('LLEN', KEYS[1]) + redis.call('ZCARD', KEYS[3])
end
return {jobs, notices, last and 1 or 0, refused, last and last[3] or 0, last and last[4] or 0}
`)

const REFILL = fencedScript(`${MOVE_TO_ACTIVE}${SHARED}
local bytes, budget, refused = 0, tonumber(ARGV[5]), false
-- BullMQ activates what stands at the consuming end of 'wait'; so it does for a parked job, its limits included.
local function activate(id)
  redis.call('RPUSH', KEYS[1], id)
  local reply = moveToActive(KEYS, {prefix, now, options})
  if type(reply[1]) ~= 'table' then
    redis.call('RPOP', KEYS[1])
    refused = true
    return nil
  end
  for i = 1, #reply[1] do bytes = bytes + #reply[1][i] end
  return {reply[2], reply[1]}
end
local replies = {}
for i = 6, #ARGV, 3 do
  local session, count, from = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local lane, urgent = lanes .. session, laneControls .. session
  local source = from == 'head' and lane or urgent
  local taken = {}
  while #taken < count and bytes < budget and not refused do
    local id = redis.call('LINDEX', source, 0)
    if not id then break end
    -- Somebody may have removed the job while it was parked.
    local job = nil
    if redis.call('EXISTS', prefix .. id) == 1 then
      job = activate(id)
      if not job then break end
    end
    redis.call('LREM', lane, 1, id)
    redis.call('LREM', urgent, 1, id)
    if job then taken[#taken + 1] = job end
  end
  local length, controls = sizes(session)
  if length == 0 then redis.call('SREM', parked, session) end
  replies[#replies + 1] = {session, taken, length, controls}
end
return {replies, refused and 1 or 0}
`)

const SURVEY = fencedScript(`
local found = {}
for _, session in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  found[#found + 1] = {session, redis.call('LLEN', ARGV[1] .. session), redis.call('LLEN', ARGV[2] .. session)}
end
return found
`)

/** Takes jobs from an owned partition's queue and lanes into BullMQ's `active`. */
export interface Source {
  /** Takes up to `room` jobs, and no more once `budget` bytes are taken. */
  fetch(room: number, budget: number): Promise<Fetched>
  /** Takes parked jobs back. `refused`: the queue is paused or limited, and some were left where they are. */
  refill(wanted: readonly Refill[], budget: number): Promise<{ lanes: Refilled[]; refused: boolean }>
  /** Every lane that has parked jobs. */
  survey(): Promise<Parked[]>
}

/** What a source needs. `redis` should fail, not repeat, a command whose connection breaks: a repeat takes twice. */
export interface SourceDeps {
  redis: Redis
  fence: Fence
  layout: Layout
  clock: Clock
}

/** See {@link Source}. */
export function createSource({ redis, fence, layout, clock }: SourceDeps): Source {
  const scriptKeys = [...moveToActiveKeys(layout), keys.parked(fence.partition)]
  const common = () => [layout.prefix, clock.now(), keys.lane(''), keys.laneControls('')]
  return {
    async fetch(room, budget) {
      const reply = await FETCH.run(redis, fence, scriptKeys, [...common(), room, budget])
      const [jobs, grown, dry, refused, limitedMs, nextDelayed] = reply as [
        RawJob[],
        Row[],
        number,
        number,
        number,
        number,
      ]
      const next = Math.max(0, nextDelayed)
      return { jobs, parked: grown.map(parkedOf), dry: dry === 1, refused, limitedMs, nextDelayed: next }
    },
    async refill(wanted, budget) {
      const args = wanted.flatMap(({ sessionId, count, from }) => [sessionId, count, from])
      const reply = await REFILL.run(redis, fence, scriptKeys, [...common(), budget, ...args])
      const [rows, refused] = reply as [[string, RawJob[], number, number][], number]
      const lanes = rows.map(([sessionId, taken, jobs, controls]) => ({ sessionId, taken, jobs, controls }))
      return { lanes, refused: refused === 1 }
    },
    async survey() {
      const args = [keys.lane(''), keys.laneControls('')]
      const rows = (await SURVEY.run(redis, fence, [keys.parked(fence.partition)], args)) as Row[]
      return rows.map(parkedOf)
    },
  }
}

/** A Lua table with these names as keys. */
function luaSet(names: readonly string[]): string {
  return `{${names.map(name => `['${name}'] = true`).join(', ')}}`
}

type Row = [sessionId: string, jobs: number, controls: number]

function parkedOf([sessionId, jobs, controls]: Row): Parked {
  return { sessionId, jobs, controls }
}
