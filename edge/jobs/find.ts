import { JOB_CODES, type JobCode } from '../../shared/errors.ts'
import { SESSION_ID } from '../../shared/jid.ts'
import { readJson } from '../../shared/json.ts'
import { storedIdOf } from '../../shared/job-id.ts'
import { keys } from '../../shared/keys.ts'
import { forwardedId, partitionOf, QUEUE, queueOf } from '../../shared/partition.ts'
import { jobResult, readReceipt, type JobResult } from '../../shared/receipt.ts'
import { prepareScript, type RedisClient, type Reply, type Script } from '../redis/client.ts'
import { toRecord } from '../redis/hash.ts'
import { FIND_JOB } from './script.ts'

/** Longest id that is looked for. Foreign producers choose their own. */
const MAX_ID_LENGTH = 256

/** How a job is doing, as the status API tells it. */
export interface JobStatus {
  id: string
  name: string
  sessionId: string
  state: 'waiting' | 'active' | 'delayed' | 'completed' | 'failed'
  /** Attempts that were made. */
  attempts: number
  result?: JobResult
  /** Why it failed; of a job that is to run again, why the last attempt failed. */
  error?: { code: JobCode; message: string }
  /** Unix ms. */
  finishedAt?: number
}

/** Looks jobs up. */
export interface Jobs {
  /** The job, when the session has it. Throws `RedisError`. */
  find(sessionId: string, jobId: string): Promise<JobStatus | undefined>
}

/** What a lookup needs. */
export interface JobsDeps {
  redis: RedisClient
  partitions: number
}

/**
 * Makes the lookup. A job is sought in its session's queue, by the id that its caller gave, by its own id and by the one it gets there when it comes
 * from the contract's queue, and then in that: a foreign producer knows only that one, and its job is there until it is
 * forwarded.
 */
export function createJobs({ redis, partitions }: JobsDeps): Jobs {
  let script: Promise<Script> | undefined
  return {
    async find(sessionId, jobId) {
      if (!SESSION_ID.test(sessionId) || jobId === '' || jobId.length > MAX_ID_LENGTH) return undefined
      script ??= prepareScript(FIND_JOB)
      const places = placesOf(queueOf(partitionOf(sessionId, partitions)), sessionId, jobId)
      const reply = await redis.run(
        await script,
        places.map(({ queue, id }) => keys.receipt(queue, id)),
        [sessionId, ...places.flatMap(({ queue, id }) => [`bull:${queue}:`, id])],
      )
      return readReply(reply, sessionId, jobId)
    },
  }
}

function placesOf(queue: string, sessionId: string, id: string): { queue: string; id: string }[] {
  const named = { queue, id: storedIdOf(sessionId, id) }
  const atContract = { queue: QUEUE, id }
  return queue === QUEUE ? [named, atContract] : [named, { queue, id }, { queue, id: forwardedId(0, id) }, atContract]
}

type Fields = (string | null)[]

function readReply(reply: Reply, sessionId: string, id: string): JobStatus | undefined {
  if (!Array.isArray(reply)) return undefined
  for (const [kind, ...fields] of reply as Fields[]) {
    const status = kind === 'RECEIPT' ? fromReceipt(fields, sessionId, id) : fromJob(fields, sessionId, id)
    if (status !== undefined) return status
  }
  return undefined
}

function fromReceipt(fields: Fields, sessionId: string, id: string): JobStatus | undefined {
  const read = readReceipt(toRecord(fields))
  if (read === undefined) return undefined
  const { name, state, attempts, result, code, message, finishedAt } = read
  return {
    id,
    name,
    sessionId,
    state,
    attempts,
    ...(result !== undefined && { result }),
    ...(code !== undefined && { error: { code, message: message ?? '' } }),
    finishedAt,
  }
}

function fromJob(fields: Fields, sessionId: string, id: string): JobStatus | undefined {
  const [state, name, attempts, reason, value, finishedOn, data] = fields
  if (typeof data === 'string' && !isOf(sessionId, data)) return undefined
  const result = state === 'completed' && value ? readResult(value) : undefined
  return {
    id,
    name: name ?? '',
    sessionId,
    state: state as JobStatus['state'],
    attempts: Number(attempts ?? 0),
    ...(result !== undefined && { result }),
    ...(reason && state !== 'completed' && { error: readReason(reason) }),
    ...(finishedOn && { finishedAt: Number(finishedOn) }),
  }
}

function isOf(sessionId: string, data: string): boolean {
  const value = readJson(data)
  return typeof value === 'object' && value !== null && 'sessionId' in value && value.sessionId === sessionId
}

function readResult(text: string): JobResult | undefined {
  return jobResult.safeParse(readJson(text)).data
}

/** Our worker writes `CODE: message`. Anything else was written by who knows whom, and is not repeated. */
function readReason(text: string): { code: JobCode; message: string } {
  const [, word, message] = /^([A-Z_]+)(?:: ?([^]*))?$/.exec(text) ?? []
  const code = JOB_CODES.find(known => known === word)
  return code === undefined ? { code: 'INTERNAL', message: 'the job failed' } : { code, message: message ?? '' }
}
