import type { Redis } from 'ioredis'
import { keys } from '../../shared/keys.ts'
import { fencedScript } from '../redis/fenced.ts'
import type { Fence } from '../types.ts'
import { isControl } from './control.ts'
import type { Parked } from './fetch.ts'
import type { Layout } from './layout.ts'
import { CLOSINGS } from './read.ts'

/** A job to park. */
export interface Parking {
  id: string
  name: string
  /** Its owner died while it may have been running. */
  crashed?: boolean
  /** See `Held.closings`; 0 when absent. */
  closings?: number
}

/** Jobs of one session, oldest first, and the end of its lane they go to. */
export interface ParkGroup {
  sessionId: string
  side: 'front' | 'back'
  jobs: readonly Parking[]
}

// Only what still stands in 'active' moves, so a command that is repeated after a broken connection changes nothing.
// BullMQ counts starts ('ats'); a parked job was not started. A start that a crash ended is counted in 'stc'. The lock
// is one that a plain BullMQ Worker may have left.
const PARK = fencedScript(`
local active, parked, prefix, lanes, laneControls = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local replies = {}
local at = 4
while at <= #ARGV do
  local session, side, count = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local first, last, step, push = 0, count - 1, 1, 'RPUSH'
  if side == 'front' then first, last, step, push = count - 1, 0, -1, 'LPUSH' end
  for i = first, last, step do
    local id, control, crashed, closings = unpack(ARGV, at + 3 + i * 4, at + 6 + i * 4)
    local job = prefix .. id
    if redis.call('LREM', active, 1, id) == 1 and redis.call('EXISTS', job) == 1 then
      redis.call('HINCRBY', job, crashed == '1' and 'stc' or 'ats', crashed == '1' and 1 or -1)
      if closings ~= '0' then redis.call('HSET', job, '${CLOSINGS}', closings) end
      redis.call('DEL', job .. ':lock')
      redis.call(push, lanes .. session, id)
      if control == '1' then redis.call(push, laneControls .. session, id) end
    end
  end
  at = at + 3 + count * 4
  local length = redis.call('LLEN', lanes .. session)
  if length > 0 then redis.call('SADD', parked, session) end
  replies[#replies + 1] = {session, length, redis.call('LLEN', laneControls .. session)}
end
return replies
`)

/** Moves jobs from BullMQ's `active` to their lanes in Redis. */
export type Park = (groups: readonly ParkGroup[]) => Promise<Parked[]>

/** See {@link Park}. */
export function createPark(redis: Redis, fence: Fence, layout: Layout): Park {
  return async groups => {
    const args = groups.flatMap(({ sessionId, side, jobs }) => [
      sessionId,
      side,
      jobs.length,
      ...jobs.flatMap(({ id, name, crashed, closings }) => [
        id,
        isControl(name) ? 1 : 0,
        crashed ? 1 : 0,
        closings ?? 0,
      ]),
    ])
    const scriptKeys = [layout.active, keys.parked(fence.partition)]
    const common = [layout.prefix, keys.lane(''), keys.laneControls('')]
    const rows = (await PARK.run(redis, fence, scriptKeys, [...common, ...args])) as [string, number, number][]
    return rows.map(([sessionId, jobs, controls]) => ({ sessionId, jobs, controls }))
  }
}
