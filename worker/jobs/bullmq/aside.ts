import type { Logger } from 'pino'
import { keys } from '../../../shared/keys.ts'
import { FencedError, fencedScript } from '../../redis/fenced.ts'
import { isOutage } from '../../redis/outage.ts'
import type { Finisher } from './finish.ts'
import { JOBS } from './lua.ts'
import type { OwnedQueue } from './owned-queue.ts'

/** What a script set aside: an id or the name of a key, cut, and a word for the reason. */
export type SetAside = [id: string, reason: string]

/**
 * Keeps what cannot be read, moved or ended from holding up the rest. It is noted in `keys.aside`, counted and logged. A
 * job that can still be a job of BullMQ's becomes a failed one.
 */
export interface Aside {
  /** Tells of what scripts have set aside. */
  tell(what: readonly SetAside[]): void
  /** Does something with a job, and sets the job aside when it fails. Throws `FencedError`, and what is an outage. */
  unless(id: string, work: () => Promise<unknown>): Promise<void>
  /**
   * Sets aside what stands under the queue's own keys, and those of these sessions' lanes, and is of a type they cannot
   * have. Throws as a fenced script does.
   */
  brokenKeys(sessionIds: readonly string[]): Promise<number>
  /** Ends jobs also when something that belongs to a job, such as its parent, is broken. */
  finisher(plain: Finisher): Finisher
}

const HEAD = `${JOBS}
at = {prefix = ARGV[1], now = ARGV[2], asides = KEYS[1], active = KEYS[2], wait = KEYS[3], prioritized = KEYS[4],
  delayed = KEYS[5]}
`

const ASIDE = fencedScript(`${HEAD}
local id, reason, failed = ARGV[3], ARGV[4], KEYS[6]
redis.call('LREM', at.active, 0, id)
redis.call('LREM', at.wait, 1, id)
redis.call('ZREM', at.prioritized, id)
redis.call('ZREM', at.delayed, id)
local job = look(id)
if job and not job.gone and redis.call('HEXISTS', at.prefix .. id, 'finishedOn') == 0 then
  redis.call('HSET', at.prefix .. id, 'failedReason', 'INTERNAL: the job could not be ended', 'finishedOn', at.now)
  redis.call('ZADD', failed, at.now, id)
end
setAside(id, reason)
return told
`)

// What BullMQ reads of a job when it ends: those that tell of other jobs, and its counters.
const MEND = fencedScript(`
return redis.call('HDEL', KEYS[1], 'parent', 'parentKey', 'deid', 'rjk', 'atm', 'ats', 'stc')
`)

const BROKEN = fencedScript(`${HEAD}
local kept = ARGV[3]
local function check(key, name, kind)
  local found = redis.call('TYPE', key)
  found = type(found) == 'table' and found.ok or found
  local number = kind ~= 'number' or found ~= 'string' or tonumber(redis.call('GET', key)) ~= nil
  if found == 'none' or found == (kind == 'number' and 'string' or kind) and number then return true end
  redis.call('RENAME', key, kept .. name)
  redis.call('EXPIRE', kept .. name, 604800)
  setAside(name, 'WRONG_TYPE')
end
check(KEYS[1], 'aside', 'list')
for name, kind in pairs({active = 'list', wait = 'list', paused = 'list', prioritized = 'zset', delayed = 'zset',
  completed = 'zset', failed = 'zset', marker = 'zset', events = 'stream', stalled = 'set', limiter = 'number',
  pc = 'number', meta = 'hash'}) do
  check(at.prefix .. name, name, kind)
end
for _, field in ipairs({'concurrency', 'max', 'duration', 'opts.maxLenEvents'}) do
  local value = redis.call('HGET', at.prefix .. 'meta', field)
  if value and not tonumber(value) then
    redis.call('HDEL', at.prefix .. 'meta', field)
    setAside(field, 'NO_NUMBER')
  end
end
local limits = redis.call('HMGET', at.prefix .. 'meta', 'max', 'duration')
if limits[1] and not limits[2] then
  redis.call('HDEL', at.prefix .. 'meta', 'max')
  setAside('max', 'NO_DURATION')
end
check(KEYS[6], 'parked', 'set')
local sessions = redis.call('SMEMBERS', KEYS[6])
for i = 4, #ARGV do sessions[#sessions + 1] = ARGV[i] end
local lanes, controls = KEYS[7], KEYS[8]
for _, session in ipairs(sessions) do
  check(lanes .. session, 'lane', 'list')
  check(controls .. session, 'lane-controls', 'list')
end
return told
`)

/** See {@link Aside}. `onAside` is told of each thing that was set aside, and why. */
export function createAside(
  { redis, fence, layout, clock }: OwnedQueue,
  log: Logger,
  onAside?: (reason: string) => void,
): Aside {
  const { active, wait, prioritized, delayed, failed, prefix } = layout
  const common = [keys.aside(fence.partition), active, wait, prioritized, delayed]

  function tell(what: readonly SetAside[]) {
    for (const [jobId, reason] of what) {
      log.warn({ jobId, reason }, 'set aside')
      onAside?.(reason)
    }
  }

  async function job(id: string, error: unknown) {
    const reason = error instanceof Error ? (/^\w+/.exec(error.message)?.[0] ?? 'ERROR') : 'ERROR'
    tell((await ASIDE.run(redis, fence, [...common, failed], [prefix, clock.now(), id, reason])) as SetAside[])
  }

  async function brokenKeys(sessionIds: readonly string[]) {
    const scriptKeys = [...common, keys.parked(fence.partition), keys.lane(''), keys.laneControls('')]
    const args = [prefix, clock.now(), keys.asideKey(fence.partition, ''), ...new Set(sessionIds)]
    const found = (await BROKEN.run(redis, fence, scriptKeys, args)) as SetAside[]
    tell(found)
    return found.length
  }

  /** Tries again once, without what may be broken, and then lets the job go. */
  async function orAside(id: string, sessionId: string | undefined, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (passes(error)) throw error
      log.warn({ jobId: id, err: error }, 'job cannot be moved')
      await brokenKeys(sessionId === undefined ? [] : [sessionId])
      try {
        await MEND.run(redis, fence, [prefix + id], [])
        await work()
      } catch (again) {
        if (passes(again)) throw again
        await job(id, again)
      }
    }
  }

  return {
    tell,
    unless: async (id, work) => orAside(id, undefined, work),
    brokenKeys,
    finisher: plain => ({
      finish: async (ref, ending, from) => orAside(ref.id, ref.sessionId, async () => plain.finish(ref, ending, from)),
      async retry(ref, code, message) {
        let outcome: 'delayed' | 'failed' = 'failed'
        await orAside(ref.id, ref.sessionId, async () => {
          outcome = await plain.retry(ref, code, message)
        })
        return outcome
      },
    }),
  }
}

/** Whether there is nothing wrong with the job: the lease is lost, or Redis is away. */
function passes(error: unknown): boolean {
  return error instanceof FencedError || isOutage(error)
}
