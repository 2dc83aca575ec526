import { Redis } from 'ioredis'
import { keys } from '../../shared/keys.ts'
import { plainScript } from '../redis/script.ts'
import { RELEASED } from './leases.ts'

/** Longest that Redis may take, in ms: the leases end by themselves soon after. */
const TIMEOUT_MS = 4000

// KEYS partitions workers; ARGV worker-id channel lease-prefix. A lease's value is the worker's id, a colon and the epoch.
const RELEASE_ALL = plainScript(`
redis.call('ZREM', KEYS[2], ARGV[1])
local released = 0
for partition = 0, (tonumber(redis.call('GET', KEYS[1])) or 1) - 1 do
  local lease = ARGV[3] .. partition
  local token = redis.call('GET', lease)
  if token and string.sub(token, 1, #ARGV[1] + 1) == ARGV[1] .. ':' then
    redis.call('DEL', lease)
    redis.call('PUBLISH', ARGV[2], partition)
    released = released + 1
  end
end
return released
`)

/**
 * Gives back all partitions of a worker whose process is gone, and takes it off the list. Never while the process may
 * live: its sockets may be open. Resolves with how many there were; rejects when Redis does not answer in time.
 */
export async function releaseAll(redisUrl: string, workerId: string): Promise<number> {
  const redis = new Redis(redisUrl, {
    protocol: 2,
    connectTimeout: TIMEOUT_MS,
    commandTimeout: TIMEOUT_MS,
    maxRetriesPerRequest: 2,
  })
  // Told by the command that fails.
  redis.on('error', () => {})
  try {
    const args = [workerId, RELEASED, keys.lease('')]
    return Number(await RELEASE_ALL.run(redis, [keys.partitions, keys.workers], args))
  } finally {
    redis.disconnect()
  }
}
