import { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { tellOutage } from './outage.ts'

/**
 * What happens to a command whose connection breaks. `wait`: it is sent again when Redis is back, so it may run twice;
 * for commands that may. `fail`: it rejects at once, and the caller finds out what became of it. `block`: as `fail`, and
 * an answer may take as long as the command asks for, so its caller alone can tell that the connection is silent.
 */
export type Patience = 'wait' | 'fail' | 'block'

const LONGEST_PAUSE_MS = 1000

/**
 * A connection that owes an answer and brings nothing for so long is given up. Redis' host may have died, or something on
 * the way may have forgotten the connection: then nobody ever says that it has ended, and the kernel takes a quarter of
 * an hour to notice. Longer than Redis may be busy with one script.
 */
export const SILENCE_MS = 5000

/**
 * Connects to Redis, reconnecting for ever. The name is for `CLIENT LIST`.
 *
 * RESP2 is asked for because ioredis reshapes some RESP3 replies, and the scripts' replies are read as they come. After
 * a failover the old primary answers READONLY: reconnecting finds the new one, and the refused command did not run, so
 * it is sent again.
 */
export function connectRedis(url: string, patience: Patience, log: Logger, name?: string): Redis {
  const redis = new Redis(url, {
    protocol: 2,
    maxRetriesPerRequest: patience === 'wait' ? null : 0,
    retryStrategy: attempt => Math.min(50 * 2 ** Math.min(attempt, 10), LONGEST_PAUSE_MS),
    reconnectOnError: error => (error.message.startsWith('READONLY') ? 2 : false),
    connectTimeout: 5000,
    ...(patience !== 'block' && { socketTimeout: SILENCE_MS }),
    ...(name !== undefined && { connectionName: name }),
  })
  // Without a listener ioredis prints each error; the message may hold the URL's host but never its password.
  const own = log.child({ connection: name })
  redis.on('error', (error: Error) => tellOutage(own, error, 'redis connection error'))
  return redis
}

/** Whether a connection broke since it was silent for too long; ioredis has no code for it. */
export function isSilence(error: Error): boolean {
  return error.message.startsWith('Socket timeout')
}

/** Ends a connection that has fallen silent, without a goodbye that nobody would answer. It is made anew at once. */
export function giveUp(redis: Redis): void {
  if (redis.status === 'ready' || redis.status === 'connect') redis.stream.destroy()
}
