import { SESSION_ID } from '../../shared/jid.ts'
import { keys } from '../../shared/keys.ts'
import { readSessionView, type SessionView } from '../../shared/session.ts'
import type { RedisClient } from '../redis/client.ts'
import { toRecord } from '../redis/hash.ts'

/** Reads what the worker tells of sessions. Everything throws `RedisError`. */
export interface Sessions {
  find(sessionId: string): Promise<SessionView | undefined>
  /** The ids of all sessions that were started and not stopped, in alphabetical order. */
  started(): Promise<string[]>
}

/** What reading sessions needs. */
export interface SessionsDeps {
  redis: RedisClient
  partitions: number
}

/** Makes the reader. Each call is one command. */
export function createSessions({ redis, partitions }: SessionsDeps): Sessions {
  return {
    async find(sessionId) {
      if (!SESSION_ID.test(sessionId)) return undefined
      const reply = await redis.command('HGETALL', keys.session(sessionId))
      return readSessionView(toRecord(reply as string[]))
    },
    async started() {
      const sets = Array.from({ length: partitions }, (_, partition) => keys.started(partition))
      return ((await redis.command('SUNION', ...sets)) as string[]).sort()
    },
  }
}
