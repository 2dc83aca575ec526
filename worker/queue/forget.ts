import { queueOf } from '../../shared/partition.ts'
import { persist } from '../redis/persist.ts'
import { fencedScript, type FencedScript } from '../redis/fenced.ts'
import type { Core, Fence } from '../types.ts'
import type { Ending, Outcomes } from './ending.ts'
import { createFinisher } from './finish.ts'
import { layoutOf, type Layout } from './layout.ts'
import { readJob, type RawJob } from './read.ts'
import { REMOVE_JOB } from './scripts.ts'

/**
 * Removes the finished jobs of a session that is deleted, and ends those that wait for a time to come and were created
 * before `before` (Unix ms, when the deletion was asked for). It may be done again. Throws `FencedError`.
 *
 * What stands in the queue or in a lane is not sought: it finds no session when its turn comes, and is not kept then
 * (see `keys.deleted`).
 */
export type ForgetJobs = (sessionId: string, before: number) => Promise<void>

/** What forgetting jobs needs. */
export interface ForgetJobsDeps {
  core: Core
  fence: Fence
  partitions: number
  /** Absent: no events tell of jobs. */
  outcomes?: Outcomes | undefined
}

/** Jobs that one command looks at, and the data after which it looks at no more: longer, and it would delay others. */
const MOST_JOBS = 250
const MOST_BYTES = 1024 * 1024

const GONE: Ending = { state: 'failed', code: 'SESSION_NOT_FOUND', message: 'the session was deleted' }

// One step of a walk over a sorted set of job ids, from the highest rank down, so that what is removed meanwhile shifts
// nothing into the part that was seen. Most jobs are other sessions', and only what may be this one's is parsed: the
// data of a job may be megabytes of media.
const step = (found: string): FencedScript =>
  fencedScript(`${REMOVE_JOB}
local set, prefix, session = KEYS[1], ARGV[1], ARGV[2]
local last = ARGV[3] == '' and redis.call('ZCARD', set) - 1 or tonumber(ARGV[3])
local function belongs(data)
  if not string.find(data, session, 1, true) and not string.find(data, '\\\\u', 1, true) then return false end
  local ok, value = pcall(cjson.decode, data)
  return ok and type(value) == 'table' and value.sessionId == session
end
local jobs, bytes = {}, 0
local function found(id)
  ${found}
end
local first = math.max(last - ${MOST_JOBS - 1}, 0)
local ids = last < 0 and {} or redis.call('ZRANGE', set, first, last)
last = first + #ids - 1
for i = #ids, 1, -1 do
  if bytes >= ${MOST_BYTES} then break end
  local data = redis.call('HGET', prefix .. ids[i], 'data') or ''
  bytes = bytes + #data
  if belongs(data) then found(ids[i]) end
  last = last - 1
end
return {last, jobs}
`)

const REMOVE = step(`removeJob({prefix .. id, prefix .. 'repeat'}, {id, '0', prefix})`)

// The next job of a schedule stays: the schedule is its producer's, and would make another.
const COLLECT = step(`
  local job = redis.call('HMGET', prefix .. id, 'timestamp', 'rjk')
  if not job[2] and (tonumber(job[1]) or 0) < tonumber(ARGV[4]) then
    jobs[#jobs + 1] = {id, redis.call('HGETALL', prefix .. id)}
  end`)

/**
 * See {@link ForgetJobs}. All queues are looked through: a producer that knows only the contract's may have left a
 * delayed job there, and failed ones stay where they are when the number of partitions changes.
 */
export function createForgetJobs({ core, fence, partitions, outcomes }: ForgetJobsDeps): ForgetJobs {
  const { redis, clock, log } = core

  async function walk(
    script: FencedScript,
    { layout, set }: { layout: Layout; set: string },
    args: [sessionId: string, before: number],
    each: (jobs: RawJob[]) => Promise<unknown> = async () => {},
  ): Promise<void> {
    const [sessionId, before] = args
    let last: number | '' = ''
    while (last === '' || last >= 0) {
      const from: number | '' = last
      const run = async () => script.run(redis, fence, [set], [layout.prefix, sessionId, from, before])
      const [next, jobs] = (await persist(run, fence, log)) as [number, RawJob[]]
      await each(jobs)
      last = next
    }
  }

  async function forgetIn(layout: Layout, args: [sessionId: string, before: number]): Promise<void> {
    const finisher = createFinisher({ redis, fence, layout, clock, outcomes })
    const end = async (raw: RawJob): Promise<void> => {
      const reading = readJob(raw, layout.queue, fence.partition, partitions)
      const ref = reading.kind === 'job' ? reading.held : 'ref' in reading ? reading.ref : undefined
      if (ref !== undefined) await persist(async () => finisher.finish(ref, GONE, 'delayed'), fence, log)
    }
    await walk(COLLECT, { layout, set: layout.delayed }, args, async jobs => Promise.all(jobs.map(end)))
    await walk(REMOVE, { layout, set: layout.failed }, args)
    await walk(REMOVE, { layout, set: layout.completed }, args)
  }

  return async (sessionId, before) => {
    for (let partition = 0; partition < partitions; partition++) {
      await forgetIn(layoutOf(queueOf(partition)), [sessionId, before])
    }
  }
}
