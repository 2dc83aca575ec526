import { SESSION_FIELD } from '../../../shared/keys.ts'
import { queueOf } from '../../../shared/partition.ts'
import { persist } from '../../redis/persist.ts'
import { fencedScript, type FencedScript } from '../../redis/fenced.ts'
import type { Core } from '../../core.ts'
import type { Fence } from '../../ownership/fence.ts'
import { createAside } from './aside.ts'
import type { Ending, Outcomes } from '../ending.ts'
import { createFinisher } from './finish.ts'
import { layoutOf, type Layout } from './layout.ts'
import { label } from './label.ts'
import { MOST_JOB_BYTES } from './lua.ts'
import { readOptions } from './options.ts'
import type { Unread } from '../read.ts'
import { REMOVE_JOB } from './scripts.ts'

/** A delayed job: enough of it to end it. */
type Found = [id: string, name: string, opts: string, attempts: string]

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

/** Jobs that one command looks at, and data that it hands out: longer, and it would delay others. */
const MOST_JOBS = 250
const MOST_BYTES = 1024 * 1024

const GONE: Ending = { state: 'failed', code: 'SESSION_NOT_FOUND', message: 'the session was deleted' }

// One step of a walk over a sorted set of job ids, from the highest rank down, so that what is removed meanwhile shifts
// nothing into the part that was seen. At jobs that nobody has read yet it stops and hands them out; once it is written
// whose they are, it goes on with them.
const step = (found: string): FencedScript =>
  fencedScript(`${REMOVE_JOB}
local set, prefix, session = KEYS[1], ARGV[1], ARGV[2]
local last = ARGV[3] == '' and redis.call('ZCARD', set) - 1 or tonumber(ARGV[3])
local jobs, unread, bytes = {}, {}, 0
local function found(id)
  ${found}
end
local function handOut(id)
  local size = redis.call('HSTRLEN', prefix .. id, 'data')
  if size > ${MOST_JOB_BYTES} then return redis.call('HSET', prefix .. id, '${SESSION_FIELD}', '') end
  if bytes > 0 and bytes + size > ${MOST_BYTES} then return false end
  bytes = bytes + size
  unread[#unread + 1] = {id, redis.call('HGET', prefix .. id, 'data') or ''}
  return true
end
local first = math.max(last - ${MOST_JOBS - 1}, 0)
local ids = last < 0 and {} or redis.call('ZRANGE', set, first, last)
last = first + #ids - 1
for i = #ids, 1, -1 do
  local job = redis.pcall('HMGET', prefix .. ids[i], '${SESSION_FIELD}')
  if not job.err and not job[1] and redis.call('HEXISTS', prefix .. ids[i], 'data') == 1 then
    if not handOut(ids[i]) then break end
  elseif #unread == 0 and job[1] == session then
    found(ids[i])
  end
  if #unread == 0 then last = last - 1 end
end
return {last, jobs, unread}
`)

const REMOVE = step(`removeJob({prefix .. id, prefix .. 'repeat'}, {id, '0', prefix})`)

// The next job of a schedule stays: the schedule is its producer's, and would make another.
const COLLECT = step(`
  local job = redis.call('HMGET', prefix .. id, 'timestamp', 'rjk', 'name', 'opts', 'atm')
  if not job[2] and (tonumber(job[1]) or 0) < tonumber(ARGV[4]) then
    jobs[#jobs + 1] = {id, job[3] or '', job[4] or '{}', job[5] or '0'}
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
    each: (jobs: Found[]) => Promise<unknown> = async () => {},
  ): Promise<void> {
    const [sessionId, before] = args
    let last: number | '' = ''
    while (last === '' || last >= 0) {
      const from: number | '' = last
      const run = async () => script.run(redis, fence, [set], [layout.prefix, sessionId, from, before])
      const [next, jobs, unread] = (await persist(run, fence, log)) as [number, Found[], Unread[]]
      await each(jobs)
      await persist(async () => label({ redis, fence, layout }, unread), fence, log)
      last = next
    }
  }

  async function forgetIn(layout: Layout, args: [sessionId: string, before: number]): Promise<void> {
    const queue = { redis, fence, layout, clock }
    const finisher = createAside(queue, log).finisher(createFinisher(queue, outcomes))
    const [sessionId] = args
    const end = async ([id, name, opts, atm]: Found): Promise<void> => {
      const ref = { id, name, sessionId, attemptsMade: Number(atm) || 0, options: readOptions(opts) }
      await persist(async () => finisher.finish(ref, GONE, 'delayed'), fence, log)
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
