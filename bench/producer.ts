import { createHash } from 'node:crypto'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { Pool } from 'undici'
import { ADD_JOBS, QUEUE_VERSION } from '../edge/producer/script.ts'
import { JOB_OPTIONS } from '../shared/contract.ts'
import { keys } from '../shared/keys.ts'
import { countCosts } from './producer/costs.ts'
import { inTurns, run } from './producer/measure.ts'
import { cpuRow, rateRow, ratioRow } from './producer/rows.ts'
import { startServers, type Servers } from './producer/servers.ts'
import { formatTable, type Row } from './producer/table.ts'
import { measureBundle, startInWorkerd, startInWrangler, type RunningWorker } from './producer/workers.ts'

const API_KEY = 'the-key-of-the-bench'
const SECONDS = 1
const TURNS = 5
/** Of the pair whose ratio has a target of 0.9: single turns differ by a fifth on a busy machine. */
const PAIR_TURNS = 15
/** Calls in flight. */
const SINGLES = 8
const BATCHES = 4
const MAX_GZIP_KIB = 150

const JOB = {
  name: 'SEND_TEXT',
  data: { sessionId: 'user-123', to: '6281234567890@s.whatsapp.net', text: 'Halo, ini pesan dari API!' },
}

/**
 * `npm run bench -- producer`: what an accepted job costs, beside BullMQ and a bare EVALSHA, all in one run. Once through
 * `wrangler dev`, whose proxy costs more than the edge, and once with the deployed bundle in workerd alone. About 2 min.
 * Resolves with whether all targets were met.
 */
export async function benchProducer(signal: AbortSignal): Promise<boolean> {
  const closers: (() => Promise<unknown>)[] = []
  try {
    const gzip = (await measureBundle()) / 1024
    const servers = await startServers()
    closers.push(() => servers.close())
    const bindings = {
      UPSTASH_REDIS_REST_URL: servers.restUrl,
      UPSTASH_REDIS_REST_TOKEN: servers.restToken,
      API_KEYS: API_KEY,
      PARTITIONS: '1',
    }
    const redis = new Redis(servers.redisUrl, { maxRetriesPerRequest: null })
    closers.push(async () => redis.disconnect())
    const rows: Row[] = []
    for (const [start, measure] of [
      [startInWrangler, measureInWrangler],
      [startInWorkerd, measureInWorkerd],
    ] as const) {
      const worker = await start(bindings)
      closers.push(() => worker.close())
      rows.push(...(await measure({ servers, redis, worker, signal })))
      await closers.pop()?.()
    }
    const ok = gzip < MAX_GZIP_KIB
    rows.push({ what: 'edge bundle, gzip', value: `${gzip.toFixed(1)} KiB`, target: `under ${MAX_GZIP_KIB} KiB`, ok })
    console.log(`\nproducer: ${servers.redisKind}, medians of ${TURNS} turns of ${SECONDS} s\n`)
    console.log(formatTable(rows))
    return rows.every(row => row.ok !== false)
  } finally {
    for (const close of closers.reverse()) await close()
  }
}

interface Subject {
  servers: Servers
  redis: Redis
  worker: RunningWorker
  signal: AbortSignal
}

async function measureInWrangler(subject: Subject): Promise<Row[]> {
  const { post, at, fresh, end } = await prepare(subject)
  const pair = await inTurns(
    {
      edge: at(SINGLES, post('/v1/jobs', batchOf(1))),
      bare: at(SINGLES, post('/bare', JSON.stringify(bareCommand()))),
    },
    PAIR_TURNS,
    fresh,
  )
  const runs = await inTurns(
    {
      nothing: at(SINGLES, post('/nothing', batchOf(1))),
      hundred: at(BATCHES, post('/v1/jobs', batchOf(100))),
    },
    TURNS,
    fresh,
  )
  await end()
  const [edge, bare, nothing] = [pair.edge, pair.bare, runs.nothing].map(list => ({ runs: list, jobs: 1 }))
  const hundred = { runs: runs.hundred, jobs: 100 }
  if (edge === undefined || bare === undefined || nothing === undefined) return []
  return [
    { what: `THROUGH WRANGLER DEV (${SINGLES} singles or ${BATCHES} batches at once)`, value: '' },
    rateRow('POST of 1', edge),
    rateRow('same worker, bare EVALSHA', bare),
    rateRow('same worker, empty answer', nothing),
    ratioRow('POST of 1 : bare EVALSHA', edge, bare, 0.9),
    cpuRow('POST of 1: CPU, dev proxy included', edge),
    cpuRow('bare EVALSHA: CPU, dev proxy included', bare),
    cpuRow('empty answer: CPU, dev proxy included', nothing),
    rateRow('POST of 100', hundred),
    cpuRow('POST of 100: CPU, dev proxy included', hundred, 10),
  ]
}

async function measureInWorkerd(subject: Subject): Promise<Row[]> {
  const { servers, redis } = subject
  const { post, rest, at, fresh, end } = await prepare(subject)
  const costs = [
    ...(await countCosts('POST of 1', 1, post('/v1/jobs', batchOf(1)), { servers, redis })),
    ...(await countCosts('POST of 100', 100, post('/v1/jobs', batchOf(100)), { servers, redis })),
  ]
  const queue = new Queue('whatsapp-jobs', { connection: redis, defaultJobOptions: { ...JOB_OPTIONS } })
  const bulk = Array.from({ length: 100 }, () => JOB)
  const runs = await inTurns(
    {
      edge: at(SINGLES, post('/v1/jobs', batchOf(1))),
      bare: at(SINGLES, post('/bare', JSON.stringify(bareCommand()))),
      rest: at(SINGLES, rest),
      add: at(SINGLES, () => queue.add(JOB.name, JOB.data)),
      hundred: at(BATCHES, post('/v1/jobs', batchOf(100))),
      fiveHundred: at(BATCHES, post('/v1/jobs', batchOf(500))),
      addBulk: at(1, () => queue.addBulk(bulk)),
      addBulks: at(BATCHES, () => queue.addBulk(bulk)),
    },
    TURNS,
    fresh,
  )
  await queue.close()
  await end()
  const one = (list: (typeof runs)['edge']) => ({ runs: list, jobs: 1 })
  const [hundred, fiveHundred] = [
    { runs: runs.hundred, jobs: 100 },
    { runs: runs.fiveHundred, jobs: 500 },
  ]
  const [addBulk, addBulks] = [
    { runs: runs.addBulk, jobs: 100 },
    { runs: runs.addBulks, jobs: 100 },
  ]
  return [
    { what: 'THE BUNDLE IN WORKERD ALONE', value: '' },
    rateRow('POST of 1', one(runs.edge)),
    rateRow('same worker, bare EVALSHA', one(runs.bare)),
    rateRow('EVALSHA straight to the REST gateway', one(runs.rest)),
    rateRow('BullMQ Queue.add over TCP', one(runs.add)),
    ratioRow('POST of 1 : bare EVALSHA', one(runs.edge), one(runs.bare)),
    cpuRow('POST of 1: CPU', one(runs.edge)),
    rateRow('POST of 100', hundred),
    rateRow('POST of 500', fiveHundred),
    rateRow('BullMQ addBulk of 100, one connection, one at a time', addBulk),
    rateRow(`BullMQ addBulk of 100, one connection, ${BATCHES} at once`, addBulks),
    ratioRow('POST of 100 : addBulk, one at a time', hundred, addBulk, 1),
    ratioRow(`POST of 100 : addBulk, ${BATCHES} at once`, hundred, addBulks),
    ratioRow('POST of 500 : addBulk, one at a time', fiveHundred, addBulk, 2),
    ratioRow(`POST of 500 : addBulk, ${BATCHES} at once`, fiveHundred, addBulks),
    cpuRow('POST of 100: CPU', hundred, 10),
    ...costs,
  ]
}

/** The ways to call the worker and Redis. The scripts are loaded once, as a bare EVALSHA must find its own. */
async function prepare({ servers, redis, worker, signal }: Subject) {
  const pools = [worker.url, servers.restUrl].map(url => new Pool(url, { connections: SINGLES }))
  const [edge, gateway] = pools as [Pool, Pool]
  const post = (path: string, body: string) => () => send(edge, path, body, API_KEY)
  await redis.script('LOAD', ADD_JOBS)
  await post('/v1/jobs', batchOf(1))()
  return {
    post,
    rest: () => send(gateway, '/', JSON.stringify(bareCommand()), servers.restToken),
    fresh: () => redis.flushall(),
    at: (concurrency: number, call: () => Promise<unknown>) => () => {
      signal.throwIfAborted()
      return run(call, { seconds: SECONDS, concurrency, group: worker.group })
    },
    end: () => Promise.all(pools.map(pool => pool.destroy())),
  }
}

function batchOf(count: number): string {
  return JSON.stringify(count === 1 ? JOB : { jobs: Array.from({ length: count }, () => JOB) })
}

function bareCommand(): string[] {
  const sha1 = createHash('sha1').update(ADD_JOBS).digest('hex')
  const head = ['EVALSHA', sha1, '1', keys.partitions, '1', String(Date.now()), QUEUE_VERSION, '', '0']
  const kinds = JSON.stringify([['bull:whatsapp-jobs:', JOB.name, JOB_OPTIONS]])
  return [...head, kinds, '1', JSON.stringify(JOB.data)]
}

async function send(pool: Pool, path: string, body: string, token: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const { statusCode, body: answer } = await pool.request({ path, method: 'POST', headers, body })
  await answer.dump()
  if (statusCode !== 202 && statusCode !== 200) throw new Error(`${path} answered ${statusCode}`)
}
