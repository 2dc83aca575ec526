import type { Redis } from 'ioredis'
import type { Fence } from '../ownership/fence.ts'
import { fencedScript } from './fenced.ts'

/**
 * What an owner reads to go on where another has stopped. Providers answer plain reads from replicas that may be behind;
 * a script runs where writes run. And an owner that has lost its lease reads nothing: these throw as fenced scripts do.
 */
function reading(command: string) {
  const script = fencedScript(`return redis.call('${command}', KEYS[1], unpack(ARGV))`)
  return {
    text: async (redis: Redis, fence: Fence, key: string, ...args: readonly (string | number)[]): Promise<unknown> =>
      script.run(redis, fence, [key], args),
    bytes: async (redis: Redis, fence: Fence, key: string, ...args: readonly (string | number)[]): Promise<unknown> =>
      script.runForBytes(redis, fence, [key], args),
  }
}

const smembers = reading('SMEMBERS')
const lrange = reading('LRANGE')
const zrange = reading('ZRANGE')
const hkeys = reading('HKEYS')
const hget = reading('HGET')
const hgetall = reading('HGETALL')
const hmget = reading('HMGET')
const exists = reading('EXISTS')

/** Members of a set. */
export async function readSet(redis: Redis, fence: Fence, key: string): Promise<string[]> {
  return (await smembers.text(redis, fence, key)) as string[]
}

/** A whole list. */
export async function readList(redis: Redis, fence: Fence, key: string): Promise<string[]> {
  return (await lrange.text(redis, fence, key, 0, -1)) as string[]
}

/** Members of a sorted set with their scores, lowest first. */
export async function readScores(
  redis: Redis,
  fence: Fence,
  key: string,
): Promise<{ member: string; score: number }[]> {
  const flat = (await zrange.text(redis, fence, key, 0, -1, 'WITHSCORES')) as string[]
  return Array.from({ length: flat.length / 2 }, (_, i) => ({
    member: flat[2 * i] ?? '',
    score: Number(flat[2 * i + 1]),
  }))
}

/** Names of a hash's fields. */
export async function readFields(redis: Redis, fence: Fence, key: string): Promise<string[]> {
  return (await hkeys.text(redis, fence, key)) as string[]
}

/** One field of a hash; null when it is not there. */
export async function readField(redis: Redis, fence: Fence, key: string, field: string): Promise<string | null> {
  return (await hget.text(redis, fence, key, field)) as string | null
}

/** A whole hash; empty when there is none. */
export async function readHash(redis: Redis, fence: Fence, key: string): Promise<Record<string, string>> {
  const flat = (await hgetall.text(redis, fence, key)) as string[]
  return Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]))
}

/** Fields of a hash as they are stored, in the order asked for, null where there is none. */
export async function readBytes(
  redis: Redis,
  fence: Fence,
  key: string,
  fields: readonly string[],
): Promise<(Buffer | null)[]> {
  return (await hmget.bytes(redis, fence, key, ...fields)) as (Buffer | null)[]
}

/** Whether there is such a key. */
export async function isThere(redis: Redis, fence: Fence, key: string): Promise<boolean> {
  return (await exists.text(redis, fence, key)) === 1
}
