import type { Redis } from 'ioredis'
import { keys } from '../../shared/keys.ts'

/** Something in Redis that no producer of ours writes, and that must hold up nobody. */
export interface Poison {
  what: string
  put: (redis: Redis) => Promise<unknown>
}

const TO = '6281234567890@s.whatsapp.net'

/** Hash fields of a job that would be a good one, but for what is given. */
function fieldsOf(sessionId: string, odd: Record<string, string> = {}): Record<string, string> {
  const data = JSON.stringify({ sessionId, to: TO, text: 'poison' })
  const opts = JSON.stringify({ attempts: 1, removeOnComplete: true })
  return { name: 'SEND_TEXT', data, opts, timestamp: '1800000000000', delay: '0', priority: '0', ...odd }
}

/** Values that are not what a field should hold. */
const ODD = ['', 'x', '{', 'null', '[]', '-1', '1e999', 'nan', '99999999999999999999', '\u0000', '"\\ud800"']

const BAD_DATA = (sessionId: string): string[] => [
  ...ODD,
  '{"sessionId":',
  '['.repeat(2000),
  `${'['.repeat(2000)}${']'.repeat(2000)}`,
  `{"sessionId":"${sessionId}","to":"${TO}","text":"Halo \\ud83d"}`,
  `{"sessionId":"${sessionId}","to":"${TO}","text":"a","deep":${'['.repeat(1000)}${']'.repeat(1000)}}`,
  `{"sessionId":"${sessionId}","sessionId":7}`,
  '{"sessionId":"../../etc"}',
  '{"__proto__":{"sessionId":"a"},"constructor":1}',
  `{"sessionId":"${sessionId}","to":"x","text":""}`,
]

/** Fields of a job beside its name and data, as BullMQ knows them. */
const FIELDS = ['opts', 'ats', 'atm', 'stc', 'timestamp', 'priority', 'delay', 'parent', 'parentKey', 'deid', 'defa']

/** Keys of other types than a hash, one of each. */
const TYPES: Record<string, (redis: Redis, key: string) => Promise<unknown>> = {
  string: async (redis, key) => redis.set(key, 'x'),
  list: async (redis, key) => redis.rpush(key, 'x'),
  set: async (redis, key) => redis.sadd(key, 'x'),
  zset: async (redis, key) => redis.zadd(key, 1, 'x'),
  stream: async (redis, key) => redis.xadd(key, '*', 'a', 'b'),
}

/** Ids that are the names of the queue's own keys, or no ids at all. */
const OWN_IDS = ['id', 'events', 'meta', 'wait', 'marker', 'failed', '', '0:1', 'no-such-job', 'a:b:c']

const PLACES: Record<string, (redis: Redis, prefix: string, id: string) => Promise<unknown>> = {
  wait: async (redis, prefix, id) => redis.rpush(`${prefix}wait`, id),
  active: async (redis, prefix, id) => redis.lpush(`${prefix}active`, id),
  prioritized: async (redis, prefix, id) => redis.zadd(`${prefix}prioritized`, 1, id),
  delayed: async (redis, prefix, id) => redis.zadd(`${prefix}delayed`, 1, id),
}

/**
 * All of them: jobs and ids for `sessionId`, rung for as a producer would, and what may stand under the keys of the whole
 * queue, or of the session's lane. With some of the latter no producer can add a job, BullMQ's own least.
 */
export function poisonJobs(queue: string, sessionId: string): { jobs: Poison[]; keys: Poison[] } {
  const prefix = `bull:${queue}:`
  let count = 0
  const ring = async (redis: Redis) => redis.zadd(`${prefix}marker`, 0, '0')
  const job = (what: string, fields: Record<string, string>, place = 'wait'): Poison => ({
    what: `${what}, in ${place}`,
    async put(redis) {
      const id = `poison-${++count}`
      await redis.hset(prefix + id, fields)
      await PLACES[place]?.(redis, prefix, id)
      await ring(redis)
    },
  })
  const data = BAD_DATA(sessionId).map((text, i) => job(`data ${i}`, fieldsOf(sessionId, { data: text })))
  const fields = FIELDS.flatMap(field =>
    ODD.slice(0, 8).map(value => job(`${field} ${value}`, fieldsOf(sessionId, { [field]: value }))),
  )
  const both = [job('parent { and no data', { name: 'SEND_TEXT', data: '{', parent: '{', parentKey: 'x:y' })]
  const { name: _, ...unnamed } = fieldsOf(sessionId)
  const { data: __, ...empty } = fieldsOf(sessionId)
  const without = [job('no name', unnamed), job('no data', empty), job('no field of ours', { a: 'b' })]
  const names = ['', 'FORMAT_DISK', '__proto__'].map(name => job(`name ${name}`, fieldsOf(sessionId, { name })))
  const due = ['nan', '1e999', '99999999999', 'x'].map(priority =>
    job(`priority ${priority}`, fieldsOf(sessionId, { priority }), 'delayed'),
  )
  const types = Object.keys(PLACES).flatMap(place =>
    Object.entries(TYPES).map(([type, make]): Poison => ({
      what: `a ${type} in ${place}`,
      async put(redis) {
        const id = `poison-${++count}`
        await make(redis, prefix + id)
        await PLACES[place]?.(redis, prefix, id)
        await ring(redis)
      },
    })),
  )
  const own = ['wait', 'active'].flatMap(place =>
    OWN_IDS.map((id): Poison => ({
      what: `the id ${JSON.stringify(id)} in ${place}`,
      async put(redis) {
        await PLACES[place]?.(redis, prefix, id)
        await ring(redis)
      },
    })),
  )
  const limits = ['concurrency', 'max', 'duration', 'opts.maxLenEvents'].map((field): Poison => ({
    what: `meta ${field} x`,
    put: async redis => redis.hset(`${prefix}meta`, field, 'x', ...(field === 'duration' ? ['max', '1000'] : [])),
  }))
  const whole = ['limiter', 'events', 'delayed', 'pc', 'marker', 'stalled', 'failed'].map((name): Poison => ({
    what: `${name} is a hash`,
    async put(redis) {
      if (name === 'limiter') await redis.hset(`${prefix}meta`, 'max', '1000', 'duration', '1000')
      await redis.del(prefix + name)
      await redis.hset(prefix + name, 'a', 'b')
    },
  }))
  const lanes = [keys.lane(sessionId), keys.laneControls(sessionId)].map((key): Poison => ({
    what: `${key} is a string`,
    async put(redis) {
      await redis.set(key, 'x')
      await redis.sadd(keys.parked(0), sessionId)
    },
  }))
  return {
    jobs: [...data, ...fields, ...without, ...both, ...names, ...due, ...types, ...own],
    keys: [...limits, ...whole, ...lanes],
  }
}
