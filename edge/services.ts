import { createEvents, type Events } from './events/find.ts'
import { importKeys, type ApiKeys } from './http/api-keys.ts'
import { logLine, type Log } from './http/errors.ts'
import { createJobs, type Jobs } from './jobs/find.ts'
import { createSignIn, type SignIn } from './page/cookie.ts'
import { createProducer, type Producer } from './producer/producer.ts'
import { createRedisClient, type RedisClient } from './redis/client.ts'
import { createSessions, type Sessions } from './sessions/sessions.ts'
import type { Settings } from './settings.ts'

/** Longest that a request waits for Redis, in ms. With the answer's own way it stays under 3 s. */
const REDIS_TIMEOUT_MS = 2500

/** What routes may use. */
export interface Services {
  apiKeys: ApiKeys
  /** Of browsers, on the page. */
  signIn: SignIn
  redis: RedisClient
  producer: Producer
  jobs: Jobs
  sessions: Sessions
  events: Events
  partitions: number
  log: Log
  /** Unix ms. */
  now: () => number
}

/** Makes the services from the settings. */
export async function createServices(settings: Settings): Promise<Services> {
  const { partitions } = settings
  const now = () => Date.now()
  const redis = createRedisClient({
    url: settings.redisUrl,
    token: settings.redisToken,
    timeoutMs: REDIS_TIMEOUT_MS,
  })
  const apiKeys = await importKeys(settings.apiKeys)
  return {
    apiKeys,
    signIn: createSignIn({ apiKeys, now }),
    redis,
    producer: createProducer({ redis, partitions, now }),
    jobs: createJobs({ redis, partitions }),
    sessions: createSessions({ redis, partitions }),
    events: createEvents({ redis }),
    partitions,
    log: logLine,
    now,
  }
}
