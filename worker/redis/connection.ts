import { Redis } from 'ioredis'
import type { Logger } from 'pino'

/**
 * What happens to a command whose connection breaks. `wait`: it is sent again when Redis is back, so it may run twice;
 * for commands that may. `fail`: it rejects at once, and the caller finds out what became of it.
 */
export type Patience = 'wait' | 'fail'

const LONGEST_PAUSE_MS = 1000

/**
 * Connects to Redis, reconnecting for ever.
 *
 * RESP2 is asked for because ioredis reshapes some RESP3 replies, and the scripts' replies are read as they come. After
 * a failover the old primary answers READONLY: reconnecting finds the new one, and the refused command did not run, so
 * it is sent again.
 */
export function connectRedis(url: string, patience: Patience, log: Logger): Redis {
  const redis = new Redis(url, {
    protocol: 2,
    maxRetriesPerRequest: patience === 'wait' ? null : 0,
    retryStrategy: attempt => Math.min(50 * 2 ** Math.min(attempt, 10), LONGEST_PAUSE_MS),
    reconnectOnError: error => (error.message.startsWith('READONLY') ? 2 : false),
    connectTimeout: 5000,
  })
  // Without a listener ioredis prints each error; the message may hold the URL's host but never its password.
  redis.on('error', (error: Error) => log.warn({ error: error.message }, 'redis connection error'))
  return redis
}
