import { SESSION_ID } from '../../shared/jid.ts'
import { keys } from '../../shared/keys.ts'
import { prepareScript, type RedisClient, type Reply, type Script } from '../redis/client.ts'
import { FIND_EVENTS } from './script.ts'

/** Most parked events that are listed; one comes a week while a receiver refuses everything. */
const MAX_LISTED = 100

/** How the delivery of a session's events stands. Times in Unix ms. */
export interface EventsStatus {
  /** Of the newest event. */
  lastSeq: number
  /** The seq up to which all events are delivered, or parked. */
  cursor: number
  /** Events after the cursor. */
  undelivered: number
  /** The first of them. `attempts`: how often it was tried in vain. */
  oldestUndelivered?: { seq: number; storedAt: number; attempts: number }
  /** The first event that is still kept, from which a replay can begin; absent when none is. */
  firstKeptSeq?: number
  /** Of WEBHOOK_URL, as the workers last found it; absent before there was one. */
  endpoint?: { state: string; since: number }
  parkedCount: number
  /** Events that were given up, oldest first, at most 100 of them. */
  parked: ParkedEvent[]
}

/** An event that was given up. `id` is its webhook-id. Times in Unix ms. */
export interface ParkedEvent {
  seq: number
  id: string
  reason: string
  attempts: number
  storedAt: number
  parkedAt: number
}

/** Looks at sessions' events. */
export interface Events {
  /** Undefined when the session has never had an event. Throws `RedisError`. */
  find(sessionId: string): Promise<EventsStatus | undefined>
}

/** Makes the reader. Each call is one command, and no event's body leaves Redis. */
export function createEvents({ redis }: { redis: RedisClient }): Events {
  let script: Promise<Script> | undefined
  return {
    async find(sessionId) {
      if (!SESSION_ID.test(sessionId)) return undefined
      script ??= prepareScript(FIND_EVENTS)
      const scriptKeys = [keys.cursor(sessionId), keys.outbox(sessionId), keys.poison(sessionId), keys.endpoint]
      return readReply(await redis.run(await script, scriptKeys, [String(MAX_LISTED)]))
    },
  }
}

type Row = [seq: string, id: string, at: string, parkedAt: string, attempts: string, reason: string]

function readReply(reply: Reply): EventsStatus | undefined {
  if (!Array.isArray(reply)) return undefined
  const [lastSeq, cursor, attempts, first, oldest, storedAt] = reply.slice(0, 6) as string[]
  const [parkedCount, parked, endpoint] = reply.slice(6) as [number, Row[], string[]]
  const [state, since] = endpoint
  return {
    lastSeq: Number(lastSeq),
    cursor: Number(cursor),
    undelivered: Number(lastSeq) - Number(cursor),
    ...(oldest && {
      oldestUndelivered: { seq: seqOf(oldest), storedAt: Number(storedAt), attempts: Number(attempts) },
    }),
    ...(first && { firstKeptSeq: seqOf(first) }),
    ...(state !== undefined && { endpoint: { state, since: Number(since) } }),
    parkedCount,
    parked: parked.map(readParked),
  }
}

function readParked([seq, id, at, parkedAt, attempts, reason]: Row): ParkedEvent {
  return {
    seq: Number(seq),
    id,
    reason,
    attempts: Number(attempts),
    storedAt: Number(at),
    parkedAt: Number(parkedAt),
  }
}

/** An entry of the stream is called `<seq>-0`. */
function seqOf(entryId: string): number {
  return Number.parseInt(entryId, 10)
}
