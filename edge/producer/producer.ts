import { JOB_OPTIONS, type JobName } from '../../shared/contract.ts'
import { keys } from '../../shared/keys.ts'
import type { OperationName } from '../../shared/operations.ts'
import { partitionOf, queueOf } from '../../shared/partition.ts'
import { storedIdOf } from '../../shared/job-id.ts'
import { sha256 } from '../http/digest.ts'
import { prepareScript, type RedisClient, type Reply, type Script } from '../redis/client.ts'
import { ADD_JOBS, QUEUE_VERSION } from './script.ts'

/** How long an Idempotency-Key is remembered, in seconds. */
export const IDEMPOTENCY_TTL_SECONDS = 24 * 60 * 60

/** A checked job on its way to its queue. `data` is what the contract's schema made of it; `sessionId` is in it. */
export interface NewJob {
  name: JobName | OperationName
  sessionId: string
  data: unknown
  /** In ms. */
  delay?: number | undefined
  /** 1 is the most urgent; absent or 0 goes before all of them, as in BullMQ. */
  priority?: number | undefined
  jobId?: string | undefined
  /** Unix ms; not an option of BullMQ, which keeps it for our worker. */
  expiresAt?: number | undefined
}

/** What tells a repeat of a post from another one: SHA-256 of API key and Idempotency-Key, and of the body. */
export interface Idempotency {
  key: string
  payload: string
}

/** What became of a post: its ids in the order of its jobs, or why nothing was stored. */
export type Added =
  | { outcome: 'added' | 'replayed'; ids: AddedId[] }
  /** The job at `index` has an id under which another was posted. */
  | { outcome: 'id_reused'; index: number }
  | { outcome: 'key_reused' }
  | { outcome: 'partitions_differ'; recorded: string }

/** The id of a job in its queue. */
export interface AddedId {
  id: string
  /** A job of the same id and the same content was there already. */
  repeated: boolean
}

/** Adds jobs to the BullMQ queues of their sessions' partitions. */
export interface Producer {
  /** All jobs or none, in one request and one command. Throws `RedisError`. */
  add(jobs: readonly NewJob[], idempotency?: Idempotency): Promise<Added>
}

/** What a producer needs. `now` is Unix ms. */
export interface ProducerDeps {
  redis: RedisClient
  partitions: number
  now: () => number
}

/** Makes the producer. It leaves in Redis what `Queue.add` of the installed BullMQ leaves. */
export function createProducer({ redis, partitions, now }: ProducerDeps): Producer {
  let script: Promise<Script> | undefined
  return {
    async add(jobs, idempotency) {
      script ??= prepareScript(ADD_JOBS)
      const scriptKeys = [keys.partitions, ...(idempotency === undefined ? [] : [keys.idempotency(idempotency.key)])]
      const record = [idempotency?.payload ?? '', String(IDEMPOTENCY_TTL_SECONDS)]
      const head = [String(partitions), String(now()), QUEUE_VERSION, ...record]
      const args = [...head, ...(await toArguments(jobs, partitions))]
      return readReply(await redis.run(await script, scriptKeys, args), idempotency)
    },
  }
}

/** The jobs as the script takes them: their kinds, each once, then the kind and the data of each job. */
async function toArguments(jobs: readonly NewJob[], partitions: number): Promise<string[]> {
  const kinds = new Map<string, string>()
  const args: string[] = []
  for (const job of jobs) {
    const queue = queueOf(partitionOf(job.sessionId, partitions))
    const own = job.jobId === undefined ? [] : [await digestOf(job)]
    const kind = JSON.stringify([`bull:${queue}:`, job.name, optionsOf(job), job.sessionId, ...own])
    const number = kinds.get(kind) ?? String(kinds.size + 1)
    kinds.set(kind, number)
    args.push(number, JSON.stringify(job.data))
  }
  return [`[${[...kinds.keys()].join(',')}]`, ...args]
}

/** In the order in which `Queue.add` merges them, so that even the stored text is the same. */
function optionsOf({ sessionId, delay, priority, jobId, expiresAt }: NewJob) {
  const given = { delay, priority, jobId: jobId && storedIdOf(sessionId, jobId), expiresAt }
  return Object.values(given).every(value => value === undefined) ? JOB_OPTIONS : { ...JOB_OPTIONS, ...given }
}

/** Of what the job is to do; a repeat may be posted with another delay. */
async function digestOf({ name, data }: NewJob): Promise<string> {
  return sha256(JSON.stringify([name, data]))
}

function readReply(reply: Reply, idempotency: Idempotency | undefined): Added {
  const [outcome, ...rest] = reply as [string, ...string[]]
  if (outcome === 'PARTITIONS') return { outcome: 'partitions_differ', recorded: rest[0] ?? '' }
  if (outcome === 'CONFLICT') return { outcome: 'id_reused', index: Number(rest[0]) }
  if (outcome === 'ADDED') return { outcome: 'added', ids: rest.map(readId) }
  const [payload, ...ids] = rest
  return payload === idempotency?.payload ? { outcome: 'replayed', ids: ids.map(readId) } : { outcome: 'key_reused' }
}

function readId(text: string): AddedId {
  return text.startsWith('=') ? { id: text.slice(1), repeated: true } : { id: text, repeated: false }
}
