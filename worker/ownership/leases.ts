import type { Redis } from 'ioredis'
import { keys } from '../../shared/keys.ts'
import { plainScript } from '../redis/script.ts'
import type { Timing } from './timing.ts'

/** Where a release is announced; the message is the partition. A standby need not wait for its next beat. */
export const RELEASED = 'kurir:released'

/** Who holds a partition: the lease's value (empty when it is free) and how long it lasts without a renewal, in ms. */
export interface LeaseState {
  token: string
  remainingMs: number
}

/** What one beat found. */
export interface Beat {
  /** Ids of the live workers, sorted. */
  workers: string[]
  /** One for each partition. */
  leases: LeaseState[]
}

const BEAT = plainScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ttl = tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local leases = {}
for i = 2, #KEYS do
  local token = redis.call('GET', KEYS[i])
  local remaining = ttl
  if token and token == ARGV[i + 2] then
    redis.call('PEXPIRE', KEYS[i], ttl)
  elseif token then
    remaining = redis.call('PTTL', KEYS[i])
  end
  leases[#leases + 1] = token or ''
  leases[#leases + 1] = tostring(remaining)
end
local workers = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(workers)
return {workers, leases}
`)

// INCR and SET stand in one script: a claimant that is frozen between them would install an epoch that is out of date.
const CLAIM = plainScript(`
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local epoch = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. epoch, 'PX', ARGV[2])
return epoch
`)

const RELEASE = plainScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
`)

/**
 * Lists this worker as live for `listedMs` (0: not at all), renews the leases whose tokens are given (`held[p]`, empty for partitions that
 * are not ours), and tells who holds what. One command, whatever the number of partitions.
 */
export async function beat(
  redis: Redis,
  workerId: string,
  { ttlMs, listedMs }: Pick<Timing, 'ttlMs' | 'listedMs'>,
  held: readonly string[],
): Promise<Beat> {
  const leaseKeys = held.map((_, partition) => keys.lease(partition))
  const reply = await BEAT.run(redis, [keys.workers, ...leaseKeys], [workerId, ttlMs, listedMs, ...held])
  const [workers, flat] = reply as [string[], string[]]
  const leases = held.map((_, i) => ({ token: flat[2 * i] ?? '', remainingMs: Number(flat[2 * i + 1]) }))
  return { workers, leases }
}

/** Takes a free partition. Resolves with the new epoch, or undefined when somebody holds it. */
export async function claim(
  redis: Redis,
  workerId: string,
  ttlMs: number,
  partition: number,
): Promise<number | undefined> {
  const epoch = Number(await CLAIM.run(redis, [keys.lease(partition), keys.epoch(partition)], [workerId, ttlMs]))
  return epoch === 0 ? undefined : epoch
}

/** Gives a partition up and says so to standbys; does nothing when the lease is not this token's any more. */
export async function release(redis: Redis, partition: number, token: string): Promise<void> {
  await RELEASE.run(redis, [keys.lease(partition)], [token, RELEASED, partition])
}

/** Takes this worker off the list, so that the others count without it at once. */
export async function unlist(redis: Redis, workerId: string): Promise<void> {
  await redis.zrem(keys.workers, workerId)
}

/** The worker that a lease's value names. */
export function workerOf(token: string): string {
  return token.slice(0, token.lastIndexOf(':'))
}
