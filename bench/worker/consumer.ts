/**
 * One side of `npm run bench -- worker`, (b): drains a queue of texts whose sends are stubbed at the socket, either with
 * our consumer or with a bare BullMQ Worker, in a process of its own. Prints jobs a second.
 */
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import pino from 'pino'
import * as z from 'zod'
import { JOB_OPTIONS } from '../../shared/contract.ts'
import { keys } from '../../shared/keys.ts'
import { QUEUE } from '../../shared/partition.ts'
import { openJobs } from '../../worker/jobs/open.ts'
import { connectRedis } from '../../worker/redis/connection.ts'
import type { Fence } from '../../worker/ownership/fence.ts'

const CONCURRENCY = 50
const { side, redisUrl, jobs, sessions } = z
  .object({ side: z.enum(['ours', 'bullmq']), redisUrl: z.string(), jobs: z.number(), sessions: z.number() })
  .parse(JSON.parse(process.argv[2] ?? '{}'))

const redis = new Redis(redisUrl, { maxRetriesPerRequest: null })
const queue = new Queue(QUEUE, { connection: redis })
const key = { remoteJid: '628990000001@s.whatsapp.net', fromMe: true, id: '3EB0' }
for (let i = 0; i < jobs; i += 1000) {
  const batch = Array.from({ length: Math.min(1000, jobs - i) }, (_, n) => ({
    name: 'SEND_TEXT',
    data: { sessionId: `session-${(i + n) % sessions}`, to: key.remoteJid, text: `text ${i + n}` },
    opts: JOB_OPTIONS,
  }))
  await queue.addBulk(batch)
}
const { promise: drained, resolve: drain } = Promise.withResolvers<void>()
let done = 0
async function send(): Promise<{ key: typeof key }> {
  // Stands for the socket: the job goes on in a later turn of the event loop, as it does after an ack.
  await new Promise(resolve => setImmediate(resolve))
  if (++done === jobs) drain()
  return { key }
}

const startedAt = performance.now()
if (side === 'ours') await drainOurs()
else await drainBullmq()
console.log(JSON.stringify({ rate: (jobs / (performance.now() - startedAt)) * 1000 }))
process.exit(0)

async function drainBullmq(): Promise<void> {
  const worker = new Worker(QUEUE, send, { connection: redis.duplicate(), concurrency: CONCURRENCY })
  await drained
  await worker.close()
}

async function drainOurs(): Promise<void> {
  const log = pino({ level: 'silent' })
  const lease = new AbortController()
  const fence: Fence = { partition: 0, epoch: 1, token: 'bench:1', signal: lease.signal, valid: () => true }
  await redis.set(keys.lease(0), fence.token)
  const core = { redis, log, clock: { now: () => Date.now(), monotonic: () => performance.now() } }
  const running = openJobs({
    operate: async () => ({}),
    core,
    fence,
    partitions: 1,
    sessions: { restore: async () => {}, ready: () => true, onChange() {}, run: send, close: async () => {} },
    taking: connectRedis(redisUrl, 'fail', log),
    blocking: connectRedis(redisUrl, 'block', log),
  })
  void running.run()
  await drained
  await running.drain(1000)
}
