import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startRedis, type RunningRedis } from '../../dev/redis/start.ts'
import { startRestGateway, type RestGateway } from '../../dev/rest/gateway.ts'
import { JOB_OPTIONS } from '../../shared/contract.ts'
import { DIGEST_FIELD, SESSION_FIELD } from '../../shared/keys.ts'
import { createRedisClient } from '../redis/client.ts'
import { createProducer, type NewJob, type Producer } from './producer.ts'

/**
 * The wire, proven: what our producer leaves in Redis is what `Queue.add` of the installed BullMQ leaves, and beside it
 * one field of ours, which BullMQ does not read.
 */

const NOW = 1_800_000_000_000
const TOKEN = 'a-token'
const to = '6281234567890@s.whatsapp.net'

let server: RunningRedis
let gateway: RestGateway
let redis: Redis
let requests: number[]

beforeAll(async () => {
  server = await startRedis()
  gateway = await startRestGateway({ redisUrl: server.url, token: TOKEN, onRequest: count => requests.push(count) })
  redis = new Redis(server.url, { maxRetriesPerRequest: null })
})

afterAll(async () => {
  redis.disconnect()
  await gateway.close()
  await server.close()
})

beforeEach(async () => {
  requests = []
  await redis.flushall()
})

function producer(): Producer {
  const client = createRedisClient({ url: gateway.url, token: TOKEN, timeoutMs: 5000 })
  return createProducer({ redis: client, partitions: 1, now: () => NOW })
}

function text(data: Record<string, unknown> = {}, opts: Partial<NewJob> = {}): NewJob {
  return {
    name: 'SEND_TEXT',
    sessionId: 'user-123',
    data: { sessionId: 'user-123', to, text: 'Halo', ...data },
    ...opts,
  }
}

async function withBullMq(run: (queue: Queue) => Promise<unknown>): Promise<void> {
  const queue = new Queue('whatsapp-jobs', { connection: redis, defaultJobOptions: { ...JOB_OPTIONS } })
  await queue.waitUntilReady()
  await run(queue)
  await queue.close()
}

function toBullMq({ name, data, delay, priority, jobId, expiresAt }: NewJob) {
  const given = {
    ...(delay !== undefined && { delay }),
    ...(priority !== undefined && { priority }),
    ...(jobId !== undefined && { jobId: `user-123~${jobId}` }),
    ...(expiresAt !== undefined && { expiresAt }),
  }
  return { name, data, opts: { ...given, timestamp: NOW } }
}

/** Every key of Redis with its type, TTL and whole content. Ids of stream entries, which are times, become places. */
async function everything(): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {}
  // What is ours beside BullMQ's, for ids that callers give.
  const theirs = (await redis.keys('*')).filter(key => !key.startsWith('kurir:job-id:'))
  for (const key of theirs.sort()) {
    const type = await redis.type(key)
    found[key] = { type, ttl: await redis.ttl(key), content: await contentOf(key, type) }
  }
  return found
}

async function contentOf(key: string, type: string): Promise<unknown> {
  if (type === 'hash') return withoutTimestampOption(await redis.hgetall(key))
  if (type === 'list') return redis.lrange(key, 0, -1)
  if (type === 'zset') return redis.zrange(key, '0', '-1', 'WITHSCORES')
  if (type === 'stream') return (await redis.xrange(key, '-', '+')).map(([, fields]) => fields)
  return redis.get(key)
}

/** BullMQ can be given the time only as an option, which it then stores; a caller who lets it look has none. */
function withoutTimestampOption({ opts, ...rest }: Record<string, string>): Record<string, unknown> {
  if (opts === undefined) return rest
  delete rest[SESSION_FIELD]
  delete rest[DIGEST_FIELD]
  const { timestamp: _, ...others } = JSON.parse(opts) as Record<string, unknown>
  return { ...rest, opts: others }
}

async function leftByUs(batches: readonly NewJob[][]): Promise<Record<string, unknown>> {
  for (const jobs of batches) await producer().add(jobs)
  return everything()
}

async function leftByBullMq(batches: readonly NewJob[][]): Promise<Record<string, unknown>> {
  await redis.flushall()
  await withBullMq(async queue => {
    for (const jobs of batches) for (const { name, data, opts } of jobs.map(toBullMq)) await queue.add(name, data, opts)
  })
  return everything()
}

const CASES: Record<string, NewJob[][]> = {
  'a standard job': [[text()]],
  'a delayed job': [[text({}, { delay: 60_000 })]],
  'delayed jobs of one time': [[text({}, { delay: 60_000 })], [text({}, { delay: 60_000 })], [text({}, { delay: 1 })]],
  'a job whose delay is 0': [[text({}, { delay: 0 })]],
  'a prioritized job': [[text({}, { priority: 7 })]],
  'a job that expires': [[text({}, { expiresAt: 1_800_000_000_000, delay: 1000 })]],
  'a job whose priority is 0': [[text({}, { priority: 0 })]],
  'a delayed and prioritized job': [[text({}, { priority: 7, delay: 60_000 })]],
  'a job with an id of its own': [[text({}, { jobId: 'order-17' })]],
  'a delayed job with an id of its own': [[text({}, { jobId: 'order-17', delay: 1000, priority: 2 })]],
  'unicode, controls and lone surrogates': [[text({ text: 'سلام 👩‍👩‍👧 \u0000\u001f\u2028 "quoted" \\ \ud83d alone' })]],
  'text of 100 KB': [[text({ text: 'ä'.repeat(50_000) })]],
  'empty lists, objects, numbers and nulls': [
    [text({ mentions: [], extra: { list: [], map: {}, none: null, big: 9_007_199_254_740_991, half: 0.1 } })],
  ],
  'another type of job': [[{ name: 'STOP_SESSION', sessionId: 'user-123', data: { sessionId: 'user-123' } }]],
  'a mixed batch': [
    [text(), text({}, { delay: 5000 }), text({}, { priority: 1 }), text({}, { priority: 1 }), text({}, { jobId: 'x' })],
  ],
}

describe('what is left in Redis, every key and field', () => {
  it.each(Object.entries(CASES))('is the same for %s', async (_, batches) => {
    const ours = await leftByUs(batches)
    const bullMq = await leftByBullMq(batches)
    expect(Object.keys(ours).length).toBeGreaterThan(4)
    expect(ours).toEqual(bullMq)
  })

  it('is the same in a queue that is paused, and in one of limited concurrency', async () => {
    for (const field of ['paused', 'concurrency']) {
      const run = async (add: () => Promise<unknown>) => {
        await redis.flushall()
        await redis.hset('bull:whatsapp-jobs:meta', field, '1')
        await redis.rpush('bull:whatsapp-jobs:active', 'busy')
        await add()
        return everything()
      }
      const ours = await run(() => producer().add([text(), text({}, { priority: 1 })]))
      const theirs = await run(() =>
        withBullMq(async queue => {
          for (const job of [text(), text({}, { priority: 1 })].map(toBullMq))
            await queue.add(job.name, job.data, job.opts)
        }),
      )
      expect(ours).toEqual(theirs)
    }
  })

  it('has even the same text of options', async () => {
    const job = text({}, { jobId: 'same', delay: 1000, priority: 3 })
    await producer().add([job])
    const ours = await redis.hget('bull:whatsapp-jobs:user-123~same', 'opts')
    await redis.flushall()
    const { name, data } = job
    await withBullMq(queue => queue.add(name, data, { delay: 1000, priority: 3, jobId: 'user-123~same' }))
    expect(ours).toBe(await redis.hget('bull:whatsapp-jobs:user-123~same', 'opts'))
  })
})

describe('what it costs', () => {
  it('is one request of one command, whatever the batch', async () => {
    const one = producer()
    await one.add([text()])
    requests = []
    await one.add(Array.from({ length: 500 }, () => text()))
    expect(requests).toEqual([1])
  })
})

describe('an unmodified BullMQ Worker', () => {
  it('runs jobs of both producers, each batch in its order', async () => {
    const numbered = (by: string) =>
      Array.from({ length: 20 }, (_, index) => text({ text: `${by} ${index}`, mentions: [] }))
    await producer().add(numbered('ours'))
    await withBullMq(queue => queue.addBulk(numbered('theirs').map(({ name, data }) => ({ name, data }))))
    await producer().add(numbered('ours again'))
    const seen: unknown[] = []
    const done = Promise.withResolvers<void>()
    const worker = new Worker(
      'whatsapp-jobs',
      async job => {
        seen.push(job.data)
        if (seen.length === 60) done.resolve()
      },
      { connection: redis.duplicate(), concurrency: 1 },
    )
    await done.promise
    await worker.close()
    const expected = [...numbered('ours'), ...numbered('theirs'), ...numbered('ours again')]
    expect(seen).toEqual(expected.map(job => job.data))
    expect(await redis.keys('bull:whatsapp-jobs:[0-9]*')).toEqual([])
  })

  it('wakes for ours, and runs delayed and urgent ones in their turn', async () => {
    const seen: string[] = []
    const done = Promise.withResolvers<void>()
    const worker = new Worker(
      'whatsapp-jobs',
      async job => {
        seen.push(job.id ?? '')
        if (seen.length === 4) done.resolve()
      },
      { connection: redis.duplicate(), concurrency: 1, autorun: false },
    )
    const client = createRedisClient({ url: gateway.url, token: TOKEN, timeoutMs: 5000 })
    const live = createProducer({ redis: client, partitions: 1, now: () => Date.now() })
    await live.add([
      text({}, { jobId: 'later', delay: 2000 }),
      text({}, { jobId: 'second', priority: 2 }),
      text({}, { jobId: 'first', priority: 1 }),
      text({}, { jobId: 'plain' }),
    ])
    void worker.run()
    await done.promise
    await worker.close()
    expect(seen).toEqual(['plain', 'first', 'second', 'later'].map(id => `user-123~${id}`))
  })
})
