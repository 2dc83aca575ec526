import type { Redis } from 'ioredis'

/** Every key of a Redis with all that it holds, as text. */
export async function snapshot(redis: Redis): Promise<Map<string, string>> {
  const all = new Map<string, string>()
  for (const key of await redis.keys('*')) all.set(key, JSON.stringify(await read(redis, key)))
  return all
}

async function read(redis: Redis, key: string): Promise<unknown> {
  switch (await redis.type(key)) {
    case 'hash':
      return redis.hgetall(key)
    case 'list':
      return redis.lrange(key, 0, -1)
    case 'set':
      return redis.smembers(key)
    case 'zset':
      return redis.zrange(key, '0', '-1')
    case 'stream':
      return redis.xrange(key, '-', '+')
    default:
      return redis.get(key)
  }
}
