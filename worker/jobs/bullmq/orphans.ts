import { keys } from '../../../shared/keys.ts'
import { fencedScript } from '../../redis/fenced.ts'
import type { SetAside } from './aside.ts'
import { label } from './label.ts'
import { JOBS, MOST_JOB_BYTES } from './lua.ts'
import type { OwnedQueue } from './owned-queue.ts'
import type { RawJob, Unread } from '../read.ts'

/** A job in BullMQ's `active` that nobody holds. Its data stays in Redis: it may be what killed its owner. */
export interface Orphan {
  id: string
  name: string
  /** Empty when its data names none. */
  sessionId: string
}

const CHUNK = 250
/** Data of jobs that nobody has read yet, in one reply. */
const READ_BYTES = 1024 * 1024

const HEAD = `${JOBS}
at = {prefix = ARGV[1], now = ARGV[2], active = KEYS[1], asides = KEYS[2]}
`
// Read by a script, as the jobs were moved: a replica may be behind.
const LIST = fencedScript(`return redis.call('LRANGE', KEYS[1], 0, -1)`)

const LOOK = fencedScript(`${HEAD}
local found = {}
for i = 3, #ARGV do
  local id = ARGV[i]
  local job = look(id)
  if job and not job.gone then
    if job.bytes > ${MOST_JOB_BYTES} then job.session = job.session or '' end
    found[#found + 1] = {id, string.sub(job.name, 1, 64), job.session or false}
  else
    redis.call('LREM', at.active, 1, id)
    if job then clear(id) else setAside(id, 'NO_JOB') end
  end
end
return {found, told}
`)

const LOAD = fencedScript(`${HEAD}
local jobs, bytes, budget = {}, 0, tonumber(ARGV[3])
for i = 4, #ARGV do
  local id = ARGV[i]
  local job = look(id)
  if #jobs > 0 and bytes + (job and job.bytes or 0) > budget then break end
  local fields, size = {}, 0
  if job and not job.gone then fields, size = read(id, job.bytes) end
  bytes = bytes + size
  jobs[#jobs + 1] = {id, fields}
end
return jobs
`)

/**
 * Finds what a dead owner left, or what a fetch took whose reply was lost: all jobs in `active` that are not in `held`,
 * oldest first. Throws as fenced scripts do.
 */
export async function findOrphans(
  queue: OwnedQueue,
  held: { has(id: string): boolean },
): Promise<{ orphans: Orphan[]; aside: SetAside[] }> {
  const { redis, fence, layout, clock } = queue
  // BullMQ pushes at the head, so the oldest stands last.
  const active = (await LIST.run(redis, fence, [layout.active], [])) as string[]
  const ids = active.reverse().filter(id => !held.has(id))
  const rows: [id: string, name: string, sessionId: string | null][] = []
  const aside: SetAside[] = []
  for (let i = 0; i < ids.length; i += CHUNK) {
    const args = [layout.prefix, clock.now(), ...ids.slice(i, i + CHUNK)]
    const [found, told] = (await LOOK.run(redis, fence, keysOf(queue), args)) as [typeof rows, SetAside[]]
    rows.push(...found)
    aside.push(...told)
  }
  const read = await readSessions(
    queue,
    rows.filter(([, , sessionId]) => sessionId === null).map(([id]) => id),
  )
  const orphans = rows.map(([id, name, sessionId]) => ({ id, name, sessionId: sessionId ?? read.get(id) ?? '' }))
  return { orphans, aside }
}

/**
 * The first of these jobs of `active` with their data, of `budget` bytes at most, unless the first alone is larger. Throws
 * as fenced scripts do.
 */
export async function loadJobs(queue: OwnedQueue, ids: readonly string[], budget: number): Promise<RawJob[]> {
  const { redis, fence, layout, clock } = queue
  return (await LOAD.run(redis, fence, keysOf(queue), [layout.prefix, clock.now(), budget, ...ids])) as RawJob[]
}

/** Reads whose jobs these are, which scripts cannot. */
async function readSessions(queue: OwnedQueue, ids: readonly string[]): Promise<Map<string, string>> {
  const sessions = new Map<string, string>()
  for (let left = ids; left.length > 0;) {
    const jobs = await loadJobs(queue, left.slice(0, CHUNK), READ_BYTES)
    const unread = jobs.map(([id, fields]): Unread => [id, dataOf(fields)])
    const named = await label(queue, unread)
    unread.forEach(([id], i) => sessions.set(id, named[i] ?? ''))
    left = left.slice(jobs.length)
  }
  return sessions
}

function keysOf({ fence, layout }: OwnedQueue): string[] {
  return [layout.active, keys.aside(fence.partition)]
}

function dataOf(fields: readonly string[]): string {
  return fields[fields.findIndex((field, i) => i % 2 === 0 && field === 'data') + 1] ?? ''
}
