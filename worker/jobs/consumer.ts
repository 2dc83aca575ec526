import { setTimeout as sleep } from 'node:timers/promises'
import { LONGEST_READ_MS, type Doorbell } from './bullmq/doorbell.ts'
import { fetchJobs, refillLanes, type Fetched, type Refill } from './bullmq/fetch.ts'
import { label } from './bullmq/label.ts'
import { park } from './bullmq/park.ts'
import { createAlarm } from './alarm.ts'
import { createDispatch, FETCH_BYTES, MOST_FETCHED, type DispatchDeps } from './dispatch.ts'
import { MOST_HELD } from './lane/lanes.ts'
import type { Held } from './read.ts'
import { FencedError } from '../redis/fenced.ts'
import { isOutage, tellOutage } from '../redis/outage.ts'

/** What a consumer needs. */
export interface ConsumerDeps extends DispatchDeps {
  doorbell: Doorbell
}

/** Moves jobs between one partition's queue, its lanes in Redis and its lanes here. */
export interface Consumer {
  readonly name: string
  /** Runs until aborted or fenced. */
  run(signal: AbortSignal): Promise<void>
  /** After `run` ended: parks what the lanes still hold but do not run. */
  giveBack(): Promise<void>
}

/** An idle consumer looks at its queue this often, whatever the doorbell says. */
const IDLE_MS = 60_000
/** A paused or limited queue rings no bell when that ends. */
const REFUSED_MS = 2000
const ERROR_PAUSE_MS = 250
/** Data of all held jobs. Each is in memory twice more while it is sent. */
const HELD_BYTES = 32 * 1024 * 1024
/**
 * So often it looks while somebody else may still wait at the doorbell in its place and take a ring: a frozen owner, or a
 * connection of ours that Redis has not given up. Each takes one at most, within the time that a blocked read lasts.
 */
const WARY_MS = 1000
const WARY_FOR_MS = LONGEST_READ_MS + 2000

/**
 * See {@link Consumer}. Everything that takes or returns jobs runs in this one loop, one command after the other, so
 * that the order of the queue survives by construction and not by care.
 */
export function createConsumer(deps: ConsumerDeps): Consumer {
  const { queue, lanes, aside } = deps
  const { fence, clock } = queue
  const log = deps.log.child({ loop: 'consumer' })
  const { read, dispatch, parkAll, recover } = createDispatch({ ...deps, log })
  let ringing = false
  /** Nothing was to be had at the last fetch, and nothing has rung since. */
  let dry = false
  /** Only so many jobs may be active; nobody rings for one that comes meanwhile, so each end is a ring. */
  let capped = false
  /** The queue's own keys hold what they should, as far as is known. */
  let mended = false
  let waryUntil = fence.epoch > 1 ? clock.monotonic() + WARY_FOR_MS : 0
  const alarm = createAlarm()

  /** Resolves with whether the queue refused to give parked jobs. */
  async function refill(wanted: Refill[]): Promise<boolean> {
    const { lanes: filled, refused, aside: unreadable } = await refillLanes(queue, wanted, room())
    aside.tell(unreadable)
    for (const [i, { taken, ...parked }] of filled.entries()) {
      const held: Held[] = []
      for (const raw of taken) {
        const reading = read(raw)
        await deps.schedules.next(raw)
        // What has a session's name may still not keep to the contract.
        if (reading.kind === 'job' && reading.held.sessionId === parked.sessionId) held.push(reading.held)
        else await dispatch([raw])
      }
      lanes.parkedIs(parked)
      lanes.refilled(parked.sessionId, wanted[i]?.from ?? 'head', held)
    }
    return refused
  }

  /** The bytes that the next command may bring. */
  function room(): number {
    return Math.max(0, Math.min(FETCH_BYTES, HELD_BYTES - lanes.bytes))
  }

  async function fetch(): Promise<Fetched> {
    const fetched = await fetchJobs(queue, Math.min(MOST_FETCHED, MOST_HELD - lanes.held.size), room())
    aside.tell(fetched.aside)
    await dispatch(fetched.jobs)
    await label(queue, fetched.unread)
    fetched.parked.forEach(parked => lanes.parkedIs(parked))
    dry = fetched.dry
    capped = fetched.capped
    return fetched
  }

  function listen(ms: number) {
    if (ringing) return
    ringing = true
    const rung = async () => {
      const answered = await deps.doorbell.wait(clock.monotonic() < waryUntil ? Math.min(ms, WARY_MS) : ms)
      if (!answered) {
        waryUntil = clock.monotonic() + WARY_FOR_MS
        mended = false
      }
      ringing = false
      dry = false
      alarm.ring()
    }
    void rung()
  }

  /** One round. Resolves with the ms that may pass before the next, when nothing wakes us. */
  async function round(): Promise<number> {
    await parkAll(lanes.leaving())
    const full = lanes.bytes >= HELD_BYTES
    const wanted = lanes.wanted(full)
    if (wanted.length > 0 && (await refill(wanted))) return REFUSED_MS
    if (lanes.held.size >= MOST_HELD || full) return IDLE_MS
    if (dry) return IDLE_MS
    const { refused, limitedMs, nextDelayed } = await fetch()
    if (!dry) return 0
    if (limitedMs > 0 || refused > 0) {
      dry = false
      return limitedMs > 0 ? Math.min(limitedMs, IDLE_MS) : REFUSED_MS
    }
    listen(nextDelayed > 0 ? Math.min(Math.max(nextDelayed - clock.now(), 1), IDLE_MS) : IDLE_MS)
    return IDLE_MS
  }

  return {
    name: `consumer-${fence.partition}`,
    async run(signal) {
      lanes.onChange(() => {
        if (capped) dry = false
        alarm.ring()
      })
      let recovered = false
      let takeover = true
      while (!signal.aborted) {
        try {
          if (!mended) {
            await aside.brokenKeys([...lanes.held.values()].map(({ sessionId }) => sessionId))
            mended = true
          }
          if (!recovered) {
            await recover(takeover)
            dry = false
            takeover = false
            recovered = true
          }
          const pause = await round()
          if (pause > 0) await alarm.sleep(pause, signal)
        } catch (error) {
          if (error instanceof FencedError) return
          // The reply of a command may be lost, and with it jobs that it took.
          recovered = false
          if (signal.aborted) return
          // What Redis refuses though it is there is a key of the queue, or of a lane, that holds something else.
          mended &&= isOutage(error)
          if (isOutage(error)) tellOutage(log, error, 'queue not reached')
          else log.warn({ err: error }, 'queue not reached')
          await sleep(ERROR_PAUSE_MS, undefined, { signal }).catch(() => undefined)
        }
      }
    },
    async giveBack() {
      lanes.stop()
      for (let groups = lanes.leaving(); groups.length > 0; groups = lanes.leaving()) await park(queue, groups)
    },
  }
}
