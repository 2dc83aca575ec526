import { describe, expect, it } from 'vitest'
import type { Held } from '../read.ts'
import {
  blameOldest,
  isDue,
  isIdle,
  laneStep,
  NEW_LANE,
  nextToStart,
  takesOffer,
  wantedBack,
  type LaneEvent,
  type LaneState,
  type Surroundings,
} from './state.ts'

const READY: Surroundings = { ready: true, limit: 4 }
const AWAY: Surroundings = { ready: false, limit: 4 }

function job(id: number, name = 'SEND_TEXT'): Held {
  const data = { sessionId: 's', to: '628@s.whatsapp.net', text: '' }
  const options = { attempts: 1, removeOnComplete: {}, removeOnFail: {} }
  const held = { id: String(id), name, sessionId: 's', attemptsMade: 0, bytes: 1, crashes: 0, closings: 0, options }
  return { ...held, job: { name, data, id: String(id), queue: 'q', createdAt: 0, attempt: 1 } } as Held
}

const ids = (jobs: readonly Held[]) => jobs.map(({ id }) => Number(id))
const steps = (around: Surroundings, ...events: LaneEvent[]) =>
  events.reduce((lane, event) => laneStep(lane, event, around), NEW_LANE)
const offered = (id: number, name?: string): LaneEvent => ({ type: 'offered', held: job(id, name) })

describe('a lane', () => {
  it('takes jobs while it can move, up to its limit, and refuses all after one that it refused', () => {
    const lane = steps(READY, offered(1), offered(2), offered(3), offered(4), offered(5))
    expect(ids(lane.waiting)).toEqual([1, 2, 3, 4])
    expect(takesOffer({ ...lane, waiting: [] }, job(6), READY)).toBe(false)
    expect(
      takesOffer(laneStep({ ...lane, waiting: [] }, { type: 'parked', jobs: 1, controls: 0 }, READY), job(6), READY),
    ).toBe(false)
    expect(
      takesOffer(laneStep({ ...lane, waiting: [] }, { type: 'parked', jobs: 0, controls: 0 }, READY), job(6), READY),
    ).toBe(true)
  })

  it('keeps nothing waiting when it cannot move: controls overtake, the rest returns', () => {
    const lane = laneStep(steps(READY, offered(1), offered(2, 'STOP_SESSION'), offered(3)), { type: 'looked' }, AWAY)
    expect([ids(lane.waiting), ids(lane.urgent), ids(lane.returning)]).toEqual([[], [2], [1, 3]])
    expect(isDue(lane, AWAY)).toBe(true)
  })

  it('takes back what it had no time to send away, in its place', () => {
    const lane = laneStep(steps(READY, offered(1), offered(2)), { type: 'looked' }, AWAY)
    expect(ids(laneStep(lane, { type: 'looked' }, READY).waiting)).toEqual([1, 2])
    expect(ids(laneStep({ ...lane, shipping: true }, { type: 'looked' }, READY).waiting)).toEqual([])
  })

  it('puts interrupted jobs before all others, and rests longer each time when it could have moved', () => {
    const one = laneStep(steps(READY, offered(3)), { type: 'interrupted', jobs: [job(1), job(2)] }, READY)
    expect(ids(one.waiting)).toEqual([1, 2, 3])
    const two = laneStep(laneStep(one, { type: 'rested' }, READY), { type: 'interrupted', jobs: [] }, READY)
    expect([one.rest, two.rest]).toEqual([{ ms: 100 }, { ms: 200 }])
    expect(nextToStart(two, READY)).toBeUndefined()
    expect(laneStep(two, { type: 'ended' }, READY).pauseMs).toBe(100)
  })

  it('starts a control only when Redis knows the ends of all before it', () => {
    const lane = steps(READY, { type: 'ended' }, offered(1, 'DELETE_SESSION'))
    expect(nextToStart(lane, READY)).toBeUndefined()
    expect(nextToStart(laneStep(lane, { type: 'settled' }, READY), READY)?.id).toBe('1')
  })

  it('starts nothing beside a control that overtakes, and has it rest when it must run again', () => {
    const away = steps(AWAY, offered(1, 'STOP_SESSION'), { type: 'overtakes' })
    const lane = laneStep(away, offered(2), READY)
    expect(nextToStart(lane, READY)).toBeUndefined()
    const rests = laneStep(away, { type: 'overtook', again: true }, AWAY)
    expect([rests.overtaking, rests.rest]).toEqual(['rests', { ms: 100 }])
    expect(laneStep(rests, { type: 'rested' }, AWAY).overtaking).toBe('no')
    expect(laneStep(away, { type: 'overtook', again: false }, AWAY).urgent).toEqual([])
  })

  it('gives all up that does not run when it stops', () => {
    const lane = laneStep(
      steps(AWAY, offered(1, 'STOP_SESSION'), { type: 'overtakes' }, offered(2, 'START_SESSION')),
      { type: 'stopped' },
      AWAY,
    )
    expect([ids(lane.urgent), ids(lane.returning)]).toEqual([[1], [2]])
    const after = laneStep(lane, { type: 'overtook', again: true }, AWAY)
    expect([ids(after.urgent), ids(after.returning)]).toEqual([[], [1, 2]])
    expect(takesOffer(after, job(3, 'START_SESSION'), AWAY)).toBe(false)
  })

  it('wants the oldest back when half of its room is free, and controls alone while it cannot move', () => {
    const lane = steps(READY, { type: 'parked', jobs: 9, controls: 1 })
    expect(wantedBack(lane, READY)).toEqual({ count: 4, from: 'head' })
    expect(wantedBack(lane, AWAY)).toEqual({ count: 1, from: 'controls' })
    expect(wantedBack({ ...lane, waiting: [1, 2, 3].map(id => job(id)) }, READY)).toBeUndefined()
    expect(wantedBack({ ...lane, shipping: true }, READY)).toBeUndefined()
  })

  it('blames the oldest of those that had asked WhatsApp', () => {
    const jobs = blameOldest([1, 2, 3].map(id => ({ held: job(id), asked: id > 1 })))
    expect(jobs.map(({ closings }) => closings)).toEqual([0, 1, 0])
  })
})

/** A number that depends on the seed alone. */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** A lane with a Redis and a session that do what they like, for jobs that are numbered in the queue's order. */
function walk(seed: number, turns: number): { started: number[]; added: number; lane: LaneState } {
  const random = randomOf(seed)
  const around = { ready: true, limit: 4 }
  let lane = NEW_LANE
  let redis: Held[] = []
  /** On their way from Redis; the consumer does nothing else meanwhile, but sessions and jobs go on. */
  let fetched: Held[] = []
  let running: Held | undefined
  let added = 0
  const started: number[] = []
  const happen = (event: LaneEvent) => {
    lane = laneStep(lane, event, around)
    const next = running === undefined ? nextToStart(lane, around) : undefined
    if (next === undefined) return
    running = next
    lane = laneStep(lane, { type: 'started' }, around)
  }
  const tell = () => happen({ type: 'parked', jobs: redis.length, controls: 0 })
  const arrive = () => {
    if (fetched.length === 0) return
    tell()
    happen({ type: 'refilled', from: 'head', jobs: fetched.splice(0) })
  }
  const ofConsumer = [
    () => {
      const held = job(++added)
      const taken = takesOffer(lane, held, around)
      happen({ type: 'offered', held })
      if (taken) return
      redis.push(held)
      tell()
    },
    () => {
      if (lane.returning.length === 0) return
      redis = [...lane.returning, ...redis]
      happen({ type: 'shipped' })
      tell()
    },
    () => {
      const wanted = wantedBack(lane, around)
      if (wanted?.from === 'head') fetched = redis.splice(0, wanted.count)
    },
  ]
  const ofOthers = [
    () => {
      around.ready = !around.ready
      happen({ type: 'looked' })
    },
    () => happen({ type: 'rested' }),
    () => {
      if (running === undefined) return
      const held = running
      running = undefined
      if (around.ready && random(4) > 0) {
        started.push(Number(held.id))
        happen({ type: 'ended' })
        happen({ type: 'settled' })
      } else happen({ type: 'interrupted', jobs: [held] })
    },
  ]
  for (let turn = 0; turn < turns; turn++) {
    if (random(2) === 0) ofOthers[random(ofOthers.length)]?.()
    else if (fetched.length > 0) arrive()
    else ofConsumer[random(ofConsumer.length)]?.()
  }
  around.ready = true
  const rest = [arrive, ...ofConsumer.slice(1), arrive, ...ofOthers.slice(1)]
  for (let turn = 0; turn < added * 10; turn++) for (const act of rest) act()
  return { started, added, lane }
}

it('keeps the order of its jobs and loses none, whatever happens in whatever order', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const { started, added, lane } = walk(seed, 300)
    expect(started).toEqual(Array.from({ length: added }, (_, i) => i + 1))
    expect(isIdle(lane)).toBe(true)
  }
})
