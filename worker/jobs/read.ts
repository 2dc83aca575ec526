import type { FieldError } from '../../shared/coded.ts'
import { checkJob } from '../../shared/contract.ts'
import { sessionId as sessionIdSchema } from '../../shared/jid.ts'
import { checkOperation, isOperationName, type Operation } from '../../shared/operations.ts'
import { partitionOf } from '../../shared/partition.ts'
import { CLOSINGS_FIELD, SESSION_FIELD } from '../../shared/keys.ts'
import type { Job } from './job.ts'
import { BYTES_FIELD, MOST_JOB_BYTES } from './bullmq/lua.ts'
import { readOptions, type JobOptions } from './bullmq/options.ts'

/** A job as Redis has it: its id, and the fields of its hash, name and value in turn. */
export type RawJob = [id: string, fields: string[]]

/** A job that nobody has read yet: its id, and its data as text. */
export type Unread = [id: string, data: string]

/** What is needed to finish a job, whatever is in it. */
export interface JobRef {
  id: string
  name: string
  /** Absent when the job does not name a session. */
  sessionId?: string
  attemptsMade: number
  options: JobOptions
}

/** A job of ours that is in BullMQ's `active` list. */
export interface Held extends JobRef {
  sessionId: string
  job: Job
  /** Size of its data, for bounding memory. */
  bytes: number
  /** How often its owner died while it ran. */
  crashes: number
  /** What of its data is ignored. Only a foreign producer's job has such fields. */
  warnings: readonly FieldError[]
  /** How often it is blamed for the end of its session's connection. */
  closings: number
}

/** What a raw job turned out to be. */
export type Reading =
  | { kind: 'job'; held: Held }
  /** Not of the contract, and done without its session's lane. */
  | { kind: 'operation'; ref: JobRef; operation: Operation }
  /** It does not keep to the contract; `message` says where. */
  | { kind: 'garbage'; ref: JobRef; code: 'INVALID_JOB' | 'JOB_TOO_LARGE'; message: string }
  /** Its session lives in another partition. */
  | { kind: 'misplaced'; id: string; partition: number }
  /** Somebody removed it from Redis while its id stood in a list. */
  | { kind: 'vanished'; id: string }

const MOST_REASONS = 5
const LONGEST_MESSAGE = 500

/** Checks one raw job. Never throws: the queue is open to any producer. */
export function readJob([id, flat]: RawJob, queue: string, partition: number, partitions: number): Reading {
  const fields = new Map<string, string>()
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(flat[i] ?? '', flat[i + 1] ?? '')
  const name = fields.get('name')
  const text = fields.get('data')
  if (name === undefined && text === undefined) return { kind: 'vanished', id }

  const attemptsMade = count(fields.get('atm'))
  const ref: JobRef = { id, name: name ?? '', attemptsMade, options: readOptions(fields.get('opts')) }
  const bytes = fields.get(BYTES_FIELD)
  if (bytes !== undefined) {
    const message = `its data has ${bytes} bytes, of at most ${MOST_JOB_BYTES}: send large media by URL`
    const sessionId = fields.get(SESSION_FIELD)
    return { kind: 'garbage', ref: { ...ref, ...(sessionId && { sessionId }) }, code: 'JOB_TOO_LARGE', message }
  }
  const code = 'INVALID_JOB'
  const data = parse(text)
  if (data === undefined) return { kind: 'garbage', ref, code, message: 'data must be JSON' }
  const named = sessionOf(data)
  if (named !== undefined) {
    const home = partitionOf(named, partitions)
    if (home !== partition) return { kind: 'misplaced', id, partition: home }
    ref.sessionId = named
  }
  const check = isOperationName(name) ? checkOperation(name, data) : checkJob(name, data)
  if (!check.ok) {
    const reasons = check.errors.slice(0, MOST_REASONS).map(({ path, message }) => `${path} ${message}`)
    return { kind: 'garbage', ref, code, message: reasons.join('; ').slice(0, LONGEST_MESSAGE) }
  }
  // A failed child of a BullMQ flow leaves this word to its parent.
  const deferred = fields.get('defa')
  if (deferred !== undefined) return { kind: 'garbage', ref, code, message: deferred.slice(0, LONGEST_MESSAGE) }
  if ('operation' in check) return { kind: 'operation', ref, operation: check.operation }
  const { sessionId } = check.job.data
  const job: Job = { ...check.job, id, queue, createdAt: count(fields.get('timestamp')), attempt: attemptsMade + 1 }
  const held: Held = {
    ...ref,
    sessionId,
    job,
    bytes: text?.length ?? 0,
    crashes: count(fields.get('stc')),
    warnings: check.unknown.slice(0, MOST_REASONS),
    closings: count(fields.get(CLOSINGS_FIELD)),
  }
  return { kind: 'job', held }
}

/** The session that a job's data names, or the empty text. */
export function sessionNamed(data: string): string {
  return sessionOf(parse(data)) ?? ''
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '{}')
  } catch {
    return undefined
  }
}

function sessionOf(data: unknown): string | undefined {
  if (typeof data !== 'object' || data === null || !Object.hasOwn(data, 'sessionId')) return undefined
  return sessionIdSchema.safeParse((data as { sessionId: unknown }).sessionId).data
}

function count(text: string | undefined): number {
  const value = Number(text ?? 0)
  return Number.isSafeInteger(value) && value >= 0 ? value : 0
}
