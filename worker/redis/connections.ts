import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { connectRedis, giveUp, isSilence, type Patience } from './connection.ts'

/** The connections of this process to Redis. */
export interface Connections {
  /**
   * Connects; known here until the caller disconnects it. `name` tells what it is for, `clientName` is for `CLIENT LIST`;
   * default: `kurir-<name>`.
   */
  open(name: string, patience: Patience, clientName?: string): Redis
  /** Names of those that are not connected now. */
  broken(): string[]
  /**
   * Names of those that are not connected or do not answer in time. One that blocks cannot be asked and is watched by
   * whoever waits on it. Asked again while an answer is owed, a connection that hangs collects no more questions.
   */
  unanswered(timeoutMs: number): Promise<string[]>
  /**
   * One was found silent, and what silenced it rarely takes one alone: all are asked now, so that each finds out for itself,
   * and those that block are made anew. Else each would be found out when it is needed, one after the other.
   */
  suspect(): void
}

/** A connection, and the question it has not answered yet. */
interface Known {
  name: string
  redis: Redis
  patience: Patience
  asked?: Promise<boolean> | undefined
}

/** See {@link Connections}. */
export function createConnections(url: string, log: Logger): Connections {
  const known = new Set<Known>()

  async function answers(connection: Known, timeoutMs: number): Promise<boolean> {
    const { redis, patience } = connection
    // Without this, a client that waits for its Redis would wait here too.
    if (redis.status !== 'ready') return false
    if (patience === 'block') return true
    connection.asked ??= redis
      .ping()
      .then(
        () => true,
        () => false,
      )
      .finally(() => (connection.asked = undefined))
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<false>(resolve => {
      timer = setTimeout(() => resolve(false), timeoutMs)
    })
    return Promise.race([connection.asked, late]).finally(() => clearTimeout(timer))
  }

  function suspect(): void {
    for (const { redis, patience } of known) {
      if (redis.status !== 'ready') continue
      if (patience === 'block') giveUp(redis)
      else redis.ping().catch(() => undefined)
    }
  }

  return {
    suspect,
    open(name, patience, clientName = `kurir-${name}`) {
      const redis = connectRedis(url, patience, log, clientName)
      const connection: Known = { name, redis, patience }
      known.add(connection)
      redis.on('error', error => {
        if (isSilence(error)) suspect()
      })
      redis.once('end', () => known.delete(connection))
      return redis
    },
    broken: () => Array.from(known).flatMap(({ name, redis }) => (redis.status === 'ready' ? [] : [name])),
    async unanswered(timeoutMs) {
      const asked = Array.from(known, async connection =>
        (await answers(connection, timeoutMs)) ? [] : [connection.name],
      )
      return (await Promise.all(asked)).flat()
    },
  }
}
