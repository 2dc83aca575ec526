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
  /** To be given to the next beat. */
  mark: string
  /** See {@link keys.generation}; 0 when there is none. */
  generation: number
}

/** Listings that have ended are kept for so long, ms: one that is gone before tells that the data are not what they were. */
const LISTING_KEPT_MS = 60 * 60_000

/**
 * KEYS workers generation lease*; ARGV worker-id ttl listed mark token*. Answers {'back'} and does nothing when the data
 * are older than the caller's last beat, else {workers, mark, generation, (token remaining)*}.
 *
 * The caller's own entry among the workers is its mark: nobody else changes it, so one that is lower than what the caller
 * wrote, or is gone before its time, tells that Redis was given an older copy.
 *
 * A full Redis refuses a script's first command when it is one that can grow, and no other. So leases come first, and a
 * worker that cannot be listed is not: it keeps what it has.
 */
const BEAT = plainScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me, ttl, listed, mark = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local listings = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
local workers, mine = {}, nil
for i = 1, #listings, 2 do
  local ends = tonumber(listings[i + 1])
  if listings[i] == me then mine = ends end
  if ends > now then
    workers[#workers + 1] = listings[i]
  elseif ends < now - ${LISTING_KEPT_MS} then
    redis.call('ZREM', KEYS[1], listings[i])
  end
end
if mark and ((mine and mine < mark) or (not mine and mark > now - ${LISTING_KEPT_MS})) then return {'back'} end
local values = redis.call('MGET', unpack(KEYS, 2))
local leases = {}
for i = 3, #KEYS do
  local token, remaining = values[i - 1], ttl
  if token and token == ARGV[i + 2] then
    redis.call('PEXPIRE', KEYS[i], ttl)
  elseif token then
    remaining = redis.call('PTTL', KEYS[i])
  end
  leases[#leases + 1] = token or ''
  leases[#leases + 1] = tostring(remaining)
end
if listed > 0 and pcall(redis.call, 'ZADD', KEYS[1], string.format('%.0f', now + listed), me) then
  if not mine or mine <= now then workers[#workers + 1] = me end
  mine = now + listed
end
table.sort(workers)
return {workers, mine and string.format('%.0f', mine) or '', values[1] or '', leases}
`)

// INCR and SET stand in one script: a claimant that is frozen between them would install an epoch that is out of date. The
// DEL removes nothing: it lets a full Redis take what follows.
const CLAIM = plainScript(`
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('DEL', KEYS[1])
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
 * Lists this worker as live for `listedMs` (0: not at all), renews the leases whose tokens are given (`held[p]`, empty for
 * partitions that are not ours), and tells who holds what. One command, whatever the number of partitions. `mark` is that of
 * the last beat, or empty. Undefined, with nothing done: Redis has older data than at the last beat.
 */
export async function beat(
  redis: Redis,
  workerId: string,
  { ttlMs, listedMs, mark }: Pick<Timing, 'ttlMs' | 'listedMs'> & { mark: string },
  held: readonly string[],
): Promise<Beat | undefined> {
  const leaseKeys = held.map((_, partition) => keys.lease(partition))
  const at = [keys.workers, keys.generation, ...leaseKeys]
  const reply = (await BEAT.run(redis, at, [workerId, ttlMs, listedMs, mark, ...held])) as BeatReply
  if (reply[0] === 'back') return undefined
  const [workers, newMark, generation, flat] = reply
  const leases = held.map((_, i) => ({ token: flat[2 * i] ?? '', remainingMs: Number(flat[2 * i + 1]) }))
  return { workers, leases, mark: newMark, generation: Number(generation) }
}

type BeatReply = ['back'] | [workers: string[], mark: string, generation: string, leases: string[]]

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
