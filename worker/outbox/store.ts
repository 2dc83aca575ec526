import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import * as z from 'zod'
import { keys } from '../../shared/keys.ts'
import type { Fence } from '../ownership/fence.ts'
import type { Budget } from './budget.ts'
import { persist } from '../redis/persist.ts'
import { readField, readHash, readScores } from '../redis/reads.ts'
import { deferScript, loadScript, redriveScript, replayScript, settleScript, surveyScript } from './scripts.ts'

/**
 * A stored event. `id` is its webhook-id, `at` the time in ms at which it was stored, `body` the text to send, `end` how
 * many bytes of bodies the session has had with it; undefined when an earlier version stored it.
 */
export interface StoredEvent {
  seq: number
  id: string
  at: number
  body: string
  end: number | undefined
}

/** Where the delivery of a session's events stands. `attempt` and `since` (ms) are of the first event, if it failed. */
export interface Position {
  cursor: number
  attempt: number
  since: number
  events: StoredEvent[]
}

/** How long delivered events are kept for replay: the newest `count`, of `bytes` in all, and none older than `ageMs`. */
export interface Retention {
  count: number
  ageMs: number
  bytes: number
}

const parkedRecord = z.object({
  id: z.string(),
  at: z.number(),
  parkedAt: z.number(),
  attempts: z.number(),
  reason: z.string(),
  body: z.string(),
})

/** An event that was given up, and why. Times in ms. */
export type ParkedEvent = z.infer<typeof parkedRecord> & { seq: number }

/** What awaits delivery in a partition. `oldestAt` in ms; undefined when nothing does. */
export interface Backlog {
  sessions: number
  /** Of events. */
  count: number
  bytes: number
  oldestAt: number | undefined
}

/** One partition's outboxes in Redis, for their deliverer. All writes are fenced and outlast outages of Redis. */
export type Store = ReturnType<typeof createStore>

/** Most events that are read at once; bounds the memory of a slot. */
const READ = 8
const SURVEY_PAGE = 200

/** See {@link Store}. */
export function createStore({ redis, log, fence, retention, budget }: StoreDeps) {
  const undelivered = keys.undelivered(fence.partition)
  const keysOf = (id: string) => [keys.cursor(id), keys.outbox(id), undelivered, keys.poison(id)]
  const lasting = async <T>(command: () => Promise<T>) => persist(command, fence, log)

  /** Depth, time of the oldest undelivered event and bytes of each session, 200 in one command. */
  async function survey(sessions: readonly string[]): Promise<[depth: number, oldestAt: number, bytes: number][]> {
    const found: [number, number, number][] = []
    for (let i = 0; i < sessions.length; i += SURVEY_PAGE) {
      const page = sessions.slice(i, i + SURVEY_PAGE)
      const scriptKeys = page.flatMap(id => [keys.cursor(id), keys.outbox(id)])
      const reply = (await surveyScript.run(redis, fence, scriptKeys, [])) as [number, string, number][]
      for (const [n, [depth, at, bytes]] of reply.entries()) {
        found.push([depth, Number(at), bytes])
        budget.told(fence, page[n] ?? '', bytes)
      }
    }
    return found
  }

  return {
    /** Sessions with events to deliver and the time in ms of the next attempt, soonest first. Tells the budget of all. */
    async pending(): Promise<{ sessionId: string; at: number }[]> {
      const waiting = await lasting(async () => readScores(redis, fence, undelivered))
      await lasting(async () => survey(waiting.map(({ member }) => member)))
      return waiting.map(({ member, score }) => ({ sessionId: member, at: score }))
    },

    async load(sessionId: string): Promise<Position> {
      const args = [sessionId, READ, retention.ageMs]
      const reply = await lasting(async () => loadScript.run(redis, fence, keysOf(sessionId), args))
      const [cursor, attempt, since, entries, lost, bytes] = reply as [string, string, string, Entry[], number, number]
      budget.told(fence, sessionId, bytes)
      if (lost > 0) log.error({ sessionId, lost }, 'undelivered events are missing from redis')
      return {
        cursor: Number(cursor),
        attempt: Number(attempt),
        since: Number(since),
        events: entries.map(readEntry),
      }
    },

    /**
     * Moves the cursor on over one event that was delivered, or parked with a record. Reads on when `read` is set.
     * Undefined when the cursor was moved by someone else.
     */
    async settle(sessionId: string, { from, to, now, read, parked }: Settlement): Promise<StoredEvent[] | undefined> {
      const record = parked === undefined ? '' : JSON.stringify(parked)
      const { count, ageMs, bytes: keepBytes } = retention
      const args = [sessionId, from, to.seq, now, read ? READ : 0, count, ageMs, record, to.end ?? '', keepBytes]
      const reply = await lasting(async () => settleScript.run(redis, fence, keysOf(sessionId), args))
      const [answer, entries, bytes] = reply as ['moved'] | ['settled', Entry[], number]
      if (bytes !== undefined) budget.told(fence, sessionId, bytes)
      return answer === 'moved' ? undefined : entries?.map(readEntry)
    },

    /** Notes a failed attempt and when the next one is due. */
    async defer(sessionId: string, { cursor, attempt, since, nextAt }: Deferral): Promise<void> {
      const args = [sessionId, cursor, attempt, since, nextAt]
      await lasting(async () => deferScript.run(redis, fence, [keys.cursor(sessionId), undelivered], args))
    },

    /** Moves the cursor back so that `from` is the next event. Answers how many are sent again; undefined: no events. */
    async replay(sessionId: string, from: number, now: number): Promise<number | undefined> {
      const scriptKeys = [keys.cursor(sessionId), keys.outbox(sessionId), undelivered]
      const reply = await lasting(async () => replayScript.run(redis, fence, scriptKeys, [sessionId, from, now]))
      const [count, bytes] = reply as [number, number]
      budget.told(fence, sessionId, bytes)
      return count === -1 ? undefined : count
    },

    /** The session's events that were given up, oldest first. */
    async parked(sessionId: string): Promise<ParkedEvent[]> {
      const hash = await readHash(redis, fence, keys.poison(sessionId))
      return Object.entries(hash)
        .map(([seq, text]) => ({ seq: Number(seq), ...parkedRecord.parse(JSON.parse(text)) }))
        .toSorted((a, b) => a.seq - b.seq)
    },

    /** Puts a parked event at the end of the outbox. Answers its new seq, or undefined when it is not parked. */
    async redrive(sessionId: string, seq: number, now: number): Promise<number | undefined> {
      const text = await lasting(async () => readField(redis, fence, keys.poison(sessionId), String(seq)))
      const { id, body } = text === null ? { id: '', body: '' } : parkedRecord.parse(JSON.parse(text))
      const args = [sessionId, seq, now, id, body]
      return Number(await lasting(async () => redriveScript.run(redis, fence, keysOf(sessionId), args))) || undefined
    },

    /** Asks Redis once per 200 sessions that have something to deliver, and once when none has. */
    async backlog(): Promise<Backlog> {
      const sessions = await redis.zrange(undelivered, '0', '-1')
      const found = await survey(sessions)
      const times = found.map(([, oldestAt]) => oldestAt).filter(at => at > 0)
      return {
        sessions: sessions.length,
        count: found.reduce((sum, [depth]) => sum + depth, 0),
        bytes: found.reduce((sum, [, , bytes]) => sum + bytes, 0),
        oldestAt: times.length === 0 ? undefined : times.reduce((oldest, at) => Math.min(oldest, at)),
      }
    },
  }
}

interface StoreDeps {
  redis: Redis
  log: Logger
  fence: Fence
  retention: Retention
  budget: Pick<Budget, 'told'>
}

interface Settlement {
  from: number
  to: Pick<StoredEvent, 'seq' | 'end'>
  now: number
  read: boolean
  parked?: z.infer<typeof parkedRecord> | undefined
}

interface Deferral {
  cursor: number
  attempt: number
  since: number
  nextAt: number
}

type Entry = [entryId: string, fields: string[]]

function readEntry([entryId, [, id = '', , at = '', , body = '', , end]]: Entry): StoredEvent {
  return { seq: Number.parseInt(entryId, 10), id, at: Number(at), body, end: end === undefined ? end : Number(end) }
}
