import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { Pool } from 'undici'
import { createHash } from 'node:crypto'
import { ADD_JOBS, QUEUE_VERSION } from '../edge/producer/script.ts'
import { JOB_OPTIONS } from '../shared/contract.ts'
import { keys } from '../shared/keys.ts'
import { inTurns, median, run, type Run } from './producer/measure.ts'
import { startServers, type Servers } from './producer/servers.ts'
import { formatTable, type Row } from './producer/table.ts'
import { measureBundle, startWorker, type RunningWorker } from './producer/wrangler.ts'

const API_KEY = 'the-key-of-the-bench'
const SECONDS = 2
const ROUNDS = 5
/** Requests in flight. */
const SINGLES = 16
const BATCHES = 4

const JOB = {
  name: 'SEND_TEXT',
  data: { sessionId: 'user-123', to: '6281234567890@s.whatsapp.net', text: 'Halo, ini pesan dari API!' },
}

/** `npm run bench -- producer`: what an accepted job costs, beside BullMQ itself and a bare EVALSHA. About 90 s. */
export async function benchProducer(signal: AbortSignal): Promise<boolean> {
  const closers: (() => Promise<unknown>)[] = []
  try {
    const bundle = await measureBundle()
    const servers = await startServers()
    closers.push(() => servers.close())
    const worker = await startWorker({
      UPSTASH_REDIS_REST_URL: servers.restUrl,
      UPSTASH_REDIS_REST_TOKEN: servers.restToken,
      API_KEYS: API_KEY,
      PARTITIONS: '1',
    })
    closers.push(() => worker.close())
    const redis = new Redis(servers.redisUrl, { maxRetriesPerRequest: null })
    const queue = new Queue('whatsapp-jobs', { connection: redis, defaultJobOptions: { ...JOB_OPTIONS } })
    const pools = {
      edge: new Pool(worker.url, { connections: SINGLES }),
      rest: new Pool(servers.restUrl, { connections: SINGLES }),
    }
    closers.push(async () => {
      await Promise.all([pools.edge.destroy(), pools.rest.destroy()])
      await queue.close()
      redis.disconnect()
    })
    const rows = await measure({ servers, worker, redis, queue, pools, signal })
    rows.push({
      what: 'edge bundle, gzip',
      value: `${(bundle.gzip / 1024).toFixed(1)} KiB`,
      target: 'under 150 KiB',
      ok: bundle.gzip < 150 * 1024,
    })
    console.log(`\nproducer, Redis: ${servers.redisKind}, medians of ${ROUNDS} turns of ${SECONDS} s\n`)
    console.log(formatTable(rows))
    return rows.every(row => row.ok !== false)
  } finally {
    for (const close of closers.reverse()) await close()
  }
}

interface Subject {
  servers: Servers
  worker: RunningWorker
  redis: Redis
  queue: Queue
  pools: Record<'edge' | 'rest', Pool>
  signal: AbortSignal
}

async function measure({ servers, worker, redis, queue, pools, signal }: Subject): Promise<Row[]> {
  const single = JSON.stringify(JOB)
  const batches = { 100: batchOf(100), 500: batchOf(500) }
  const post = (path: string, body: string) => () => send(pools.edge, path, body, `Bearer ${API_KEY}`)
  const evalsha = JSON.stringify(bareCommand())
  const rest = () => send(pools.rest, '/', evalsha, `Bearer ${servers.restToken}`)
  const bulk = Array.from({ length: 100 }, () => JOB)
  const at = (concurrency: number, call: () => Promise<unknown>) => () => {
    signal.throwIfAborted()
    return run(call, { seconds: SECONDS, concurrency, group: worker.group })
  }
  const fresh = () => redis.flushall()

  // The scripts are loaded once; a bare EVALSHA must find its own.
  await redis.script('LOAD', ADD_JOBS)
  await post('/v1/jobs', single)()
  const costs = await countCosts(servers, redis, post('/v1/jobs', single), post('/v1/jobs', batches[100]))
  const one = await inTurns(
    {
      edge: at(SINGLES, post('/v1/jobs', single)),
      bare: at(SINGLES, post('/bare', evalsha)),
      nothing: at(SINGLES, post('/nothing', single)),
      rest: at(SINGLES, rest),
      add: at(SINGLES, () => queue.add(JOB.name, JOB.data)),
    },
    ROUNDS,
    fresh,
  )
  const many = await inTurns(
    {
      edge: at(BATCHES, post('/v1/jobs', batches[100])),
      edge500: at(BATCHES, post('/v1/jobs', batches[500])),
      addBulk: at(BATCHES, () => queue.addBulk(bulk)),
    },
    ROUNDS,
    fresh,
  )
  return [...singleRows(one), ...batchRows(many, one.nothing), ...costs]
}

function singleRows(runs: Record<'edge' | 'bare' | 'nothing' | 'rest' | 'add', Run[]>): Row[] {
  const ratio = median(runs.edge.map((edge, turn) => edge.rate / (runs.bare[turn]?.rate ?? Number.NaN)))
  return [
    { what: `POST /v1/jobs, 1 job, ${SINGLES} at once`, value: describe(runs.edge) },
    { what: 'the same worker doing a bare EVALSHA', value: describe(runs.bare) },
    { what: 'the same worker doing nothing', value: describe(runs.nothing) },
    { what: 'EVALSHA straight to the gateway', value: describe(runs.rest) },
    { what: `BullMQ Queue.add over TCP, ${SINGLES} at once`, value: describe(runs.add) },
    { what: 'POST of 1 beside the bare EVALSHA', value: ratio.toFixed(2), target: '0.9 or more', ok: ratio >= 0.9 },
    { what: 'CPU of a POST of 1, dev proxy included', value: cpu(runs.edge) },
    { what: 'CPU of a POST of 1, without what nothing costs', value: cpu(runs.edge, runs.nothing) },
  ]
}

function batchRows(runs: Record<'edge' | 'edge500' | 'addBulk', Run[]>, nothing: Run[]): Row[] {
  const rateOf = (list: readonly Run[], turn: number, jobs: number) => (list[turn]?.rate ?? Number.NaN) * jobs
  const against = (list: readonly Run[], jobs: number) =>
    median(list.map((_, turn) => rateOf(list, turn, jobs) / rateOf(runs.addBulk, turn, 100)))
  const [ratio, ratio500] = [against(runs.edge, 100), against(runs.edge500, 500)]
  const cpuMs = median(runs.edge.map(turn => turn.cpu))
  return [
    { what: `POST /v1/jobs, 100 jobs, ${BATCHES} at once`, value: describe(runs.edge, 100) },
    { what: `POST /v1/jobs, 500 jobs, ${BATCHES} at once`, value: describe(runs.edge500, 500) },
    { what: `BullMQ addBulk of 100, one connection, ${BATCHES} at once`, value: describe(runs.addBulk, 100) },
    { what: 'POST of 100 beside addBulk', value: ratio.toFixed(2), target: '1 or more', ok: ratio >= 1 },
    { what: 'POST of 500 beside addBulk of 100', value: ratio500.toFixed(2), target: '2 or more', ok: ratio500 >= 2 },
    {
      what: 'CPU of a POST of 100, dev proxy included',
      value: cpu(runs.edge),
      target: '10 ms at most',
      ok: cpuMs <= 10,
    },
    { what: 'CPU of a POST of 100, without what nothing costs', value: cpu(runs.edge, nothing) },
  ]
}

/** REST requests and Redis commands of one post, counted and not timed. */
async function countCosts(
  servers: Servers,
  redis: Redis,
  single: () => Promise<unknown>,
  batch: () => Promise<unknown>,
): Promise<Row[]> {
  const cost = async (what: string, jobs: number, call: () => Promise<unknown>): Promise<Row[]> => {
    const [before, innerBefore] = [await servers.counts(), await commandsRun(redis)]
    await call()
    const [after, innerAfter] = [await servers.counts(), await commandsRun(redis)]
    const requests = after.requests - before.requests
    const commands = after.commands - before.commands
    // Less the INFO that asked; of a redis-server, which counts what scripts call as well.
    const inner = innerAfter - innerBefore - 1
    return [
      {
        what: `REST requests and top-level commands, ${what}`,
        value: `${requests} and ${commands}`,
        target: '1 and 1',
        ok: requests === 1 && commands === 1,
      },
      {
        what: `commands a job, scripts' own included, ${what}`,
        value: inner > 0 ? (inner / jobs).toFixed(1) : 'unknown',
      },
    ]
  }
  return [...(await cost('POST of 1', 1, single)), ...(await cost('POST of 100', 100, batch))]
}

async function commandsRun(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats')
  return [...stats.matchAll(/:calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0)
}

function describe(runs: readonly Run[], jobs = 1): string {
  const rate = Math.round(median(runs.map(turn => turn.rate)) * jobs)
  const [p50, p99] = [median(runs.map(turn => turn.p50)), median(runs.map(turn => turn.p99))]
  return `${rate} jobs/s, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`
}

function cpu(runs: readonly Run[], without: readonly Run[] = []): string {
  const base = without.length === 0 ? 0 : median(without.map(turn => turn.cpu))
  return `${(median(runs.map(turn => turn.cpu)) - base).toFixed(2)} ms`
}

function batchOf(count: number): string {
  return JSON.stringify({ jobs: Array.from({ length: count }, () => JOB) })
}

function bareCommand(): string[] {
  const sha1 = createHash('sha1').update(ADD_JOBS).digest('hex')
  const head = ['EVALSHA', sha1, '1', keys.partitions, '1', String(Date.now()), QUEUE_VERSION, '', '0']
  return [...head, 'bull:whatsapp-jobs:', '', JOB.name, JSON.stringify(JOB.data), JSON.stringify(JOB_OPTIONS)]
}

async function send(pool: Pool, path: string, body: string, authorization: string): Promise<void> {
  const headers = { authorization, 'content-type': 'application/json' }
  const response = await pool.request({ path, method: 'POST', headers, body })
  await response.body.dump()
  if (response.statusCode !== 202 && response.statusCode !== 200) {
    throw new Error(`${path} answered ${response.statusCode}`)
  }
}
