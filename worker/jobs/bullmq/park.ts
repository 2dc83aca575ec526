import { CLOSINGS_FIELD, keys, SESSION_FIELD } from '../../../shared/keys.ts'
import { fencedScript } from '../../redis/fenced.ts'
import type { SetAside } from './aside.ts'
import type { Parked } from './fetch.ts'
import { JOBS } from './lua.ts'
import type { OwnedQueue } from './owned-queue.ts'

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
// is one that a plain BullMQ Worker may have left. Whose the job is was read by now, and is written for the scripts.
const PARK = fencedScript(`${JOBS}
at = {prefix = ARGV[1], now = ARGV[2], lanes = ARGV[3], controls = ARGV[4], active = KEYS[1], parked = KEYS[2],
  prioritized = KEYS[3], asides = KEYS[4]}
local replies = {}
local group = 5
while group <= #ARGV do
  local session, side, count = ARGV[group], ARGV[group + 1], tonumber(ARGV[group + 2])
  local first, last, step, push = 0, count - 1, 1, 'RPUSH'
  if side == 'front' then first, last, step, push = count - 1, 0, -1, 'LPUSH' end
  for i = first, last, step do
    local id, name, crashed, closings = unpack(ARGV, group + 3 + i * 4, group + 6 + i * 4)
    if redis.call('LREM', at.active, 1, id) == 1 then
      local job = look(id)
      if not job then
        setAside(id, 'NO_JOB')
      elseif job.gone then
        clear(id)
      else
        local key = at.prefix .. id
        redis.call('HINCRBY', key, crashed == '1' and 'stc' or 'ats', crashed == '1' and 1 or -1)
        redis.call('HSET', key, '${SESSION_FIELD}', session)
        if closings ~= '0' then redis.call('HSET', key, '${CLOSINGS_FIELD}', closings) end
        redis.call('DEL', key .. ':lock')
        park(push, session, id, name)
      end
    end
  end
  group = group + 3 + count * 4
  local length, controls = laneSizes(session)
  replies[#replies + 1] = {session, length, controls}
end
return {replies, told}
`)

/** Moves jobs from BullMQ's `active` to their lanes in Redis; answers what these lanes hold then. Throws as fenced scripts do. */
export async function park(
  { redis, fence, layout, clock }: OwnedQueue,
  groups: readonly ParkGroup[],
): Promise<{ lanes: Parked[]; aside: SetAside[] }> {
  const scriptKeys = [layout.active, keys.parked(fence.partition), layout.prioritized, keys.aside(fence.partition)]
  const args = groups.flatMap(({ sessionId, side, jobs }) => [
    sessionId,
    side,
    jobs.length,
    ...jobs.flatMap(({ id, name, crashed, closings }) => [id, name, crashed ? 1 : 0, closings ?? 0]),
  ])
  const common = [layout.prefix, clock.now(), keys.lane(''), keys.laneControls('')]
  const reply = await PARK.run(redis, fence, scriptKeys, [...common, ...args])
  const [rows, aside] = reply as [[string, number, number][], SetAside[]]
  return { lanes: rows.map(([sessionId, jobs, controls]) => ({ sessionId, jobs, controls })), aside }
}
