import type { Logger } from 'pino'
import { isOperationName } from '../../shared/operations.ts'
import { partitionOf } from '../../shared/partition.ts'
import { FencedError } from '../redis/fenced.ts'
import { isOutage } from '../redis/outage.ts'
import type { Aside } from './bullmq/aside.ts'
import { surveyLanes } from './bullmq/fetch.ts'
import { forward, type Misplaced } from './bullmq/forward.ts'
import { findOrphans, loadJobs, type Orphan } from './bullmq/orphans.ts'
import type { OwnedQueue } from './bullmq/owned-queue.ts'
import { park, type ParkGroup, type Parking } from './bullmq/park.ts'
import type { Schedules } from './bullmq/schedule.ts'
import { dropVanished } from './bullmq/vanished.ts'
import type { Lanes } from './lane/lanes.ts'
import { runOperation, type OperationDeps } from './operations.ts'
import { readJob, type Held, type RawJob, type Reading } from './read.ts'

/** Jobs in one fetch: enough to make the round trip cheap, few enough not to stall the event loop. */
export const MOST_FETCHED = 64
/** Data in one fetch: media may come in the job itself, and providers of Redis refuse replies above 10 MiB. */
export const FETCH_BYTES = 4 * 1024 * 1024
/** Jobs that one command parks; keeps it short for everyone else on Redis. */
const MOST_PARKED = 250

/** What dispatching needs. */
export interface DispatchDeps extends OperationDeps {
  /** Its connection takes jobs, and serves nothing else. */
  queue: OwnedQueue
  aside: Aside
  schedules: Schedules
  lanes: Lanes
  /** How many partitions there are. */
  partitions: number
  log: Logger
}

/** Brings jobs that stand in `active` to where they belong. Throws `FencedError`, or that Redis is away. */
export interface Dispatch {
  read: (raw: RawJob) => Reading
  /** Gives fetched jobs to their lanes, and parks what those do not take. */
  dispatch: (jobs: readonly RawJob[]) => Promise<void>
  parkAll: (groups: readonly ParkGroup[]) => Promise<void>
  /** Puts jobs that nobody holds in front of their lanes, without their data: it may be what killed their owner. */
  recover: (takeover: boolean) => Promise<void>
}

/** See {@link Dispatch}. */
export function createDispatch(deps: DispatchDeps): Dispatch {
  const { queue, lanes, aside, log } = deps
  const { fence, layout } = queue

  function read(raw: RawJob) {
    return readJob(raw, layout.queue, fence.partition, deps.partitions)
  }

  /** Gives fetched jobs to their lanes, and parks what those do not take. */
  async function dispatch(jobs: readonly RawJob[]) {
    const refused: Held[] = []
    const misplaced: Misplaced[] = []
    const moves: Promise<unknown>[] = []
    for (const raw of jobs) {
      const reading = read(raw)
      moves.push(deps.schedules.next(raw))
      switch (reading.kind) {
        case 'job': {
          const { held } = reading
          if (!lanes.offer(held)) refused.push(held)
          break
        }
        case 'operation':
          moves.push(aside.unless(raw[0], async () => runOperation(deps, reading)))
          break
        case 'misplaced':
          misplaced.push(reading)
          break
        case 'garbage':
          log.info({ jobId: reading.ref.id, reason: reading.message }, 'job refused')
          moves.push(fail(reading))
          break
        case 'vanished':
          moves.push(aside.unless(raw[0], async () => dropVanished(queue, reading.id)))
          break
      }
    }
    moves.push(parkAll(groupsOf(refused, 'back')))
    if (misplaced.length > 0) moves.push(forwardAll(misplaced))
    // One that fails must not end the round while others are under way: they would be taken for nobody's.
    const failed = (await Promise.allSettled(moves)).find(result => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  /** All in their order; where one of them cannot be moved, each by itself. */
  async function forwardAll(misplaced: readonly Misplaced[]) {
    try {
      await forward(queue, misplaced)
    } catch (error) {
      if (error instanceof FencedError || isOutage(error)) throw error
      for (const each of misplaced) await aside.unless(each.id, async () => forward(queue, [each]))
    }
  }

  async function parkAll(groups: readonly ParkGroup[]) {
    if (groups.length === 0) return
    const parked = await park(queue, groups)
    aside.tell(parked.aside)
    for (const lane of parked.lanes) lanes.parkedIs(lane)
  }

  async function fail({ ref, code, message }: Reading & { kind: 'garbage' }) {
    await deps.finisher.finish(ref, { state: 'failed', code, message })
  }

  /** Puts jobs that nobody holds in front of their lanes, without their data: it may be what killed their owner. */
  async function recover(takeover: boolean) {
    const { orphans, aside: unreadable } = await findOrphans(queue, lanes.held)
    aside.tell(unreadable)
    const ours = ({ name, sessionId }: Orphan) =>
      sessionId !== '' && !isOperationName(name) && partitionOf(sessionId, deps.partitions) === fence.partition
    // Several of a session may have run, of which one may have killed its owner: the oldest is blamed, and then runs
    // alone, so that in the end the right one is.
    const seen = new Set<string>()
    const parkings = orphans.filter(ours).map(({ id, name, sessionId }) => {
      const crashed = takeover && !seen.has(sessionId)
      seen.add(sessionId)
      return { id, name, sessionId, crashed }
    })
    for (let end = parkings.length; end > 0; end -= MOST_PARKED) {
      await parkAll(groupsOf(parkings.slice(Math.max(0, end - MOST_PARKED), end), 'front'))
    }
    for (let ids = orphans.filter(orphan => !ours(orphan)).map(({ id }) => id); ids.length > 0;) {
      const jobs = await loadJobs(queue, ids.slice(0, MOST_FETCHED), FETCH_BYTES)
      await dispatch(jobs)
      ids = ids.slice(jobs.length)
    }
    lanes.parkedAre(await surveyLanes(queue))
    if (orphans.length > 0) log.info({ jobs: orphans.length, takeover }, 'jobs without a holder returned')
  }

  return { read, dispatch, parkAll, recover }
}

/** Jobs in their order, as groups of each session. */
function groupsOf(jobs: readonly (Parking & { sessionId: string })[], side: ParkGroup['side']): ParkGroup[] {
  return [...Map.groupBy(jobs, job => job.sessionId)].map(([sessionId, group]) => ({ sessionId, side, jobs: group }))
}
