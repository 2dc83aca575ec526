import * as z from 'zod'
import { coded, fieldErrors, type FieldError } from '../../shared/coded.ts'
import { checkJob, isJobName, jobSchemas } from '../../shared/contract.ts'
import { unknownField } from '../../shared/unknown-fields.ts'
import { MAX_FIELD_ERRORS } from '../../shared/coded.ts'
import type { NewJob } from './producer.ts'

/** Most jobs in one post. */
export const MAX_BATCH = 500

/** Longest delay of a job, in ms: a year. (BullMQ's scores lose whole milliseconds from 2039 on.) */
const MAX_DELAY_MS = 365 * 24 * 60 * 60 * 1000
/** The last millisecond that a Date can hold. */
const MAX_TIME_MS = 8_640_000_000_000_000
/** BullMQ's own limit. */
const MAX_PRIORITY = 2 ** 21

const JOB_ID = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/

/**
 * Names of BullMQ's own keys beside the jobs' (`bull:<queue>:<name>`): a job of this id would overwrite the queue.
 * BullMQ itself does not refuse them.
 */
const RESERVED = new Set(
  [
    ['active', 'completed', 'de', 'delayed', 'events', 'failed', 'id', 'limiter', 'marker', 'meta', 'metrics'],
    ['paused', 'pc', 'prioritized', 'priority', 'repeat', 'stalled', 'stalled-check', 'wait', 'waiting-children'],
  ].flat(),
)

const whole = (from: number, to: number) =>
  z
    .unknown()
    .check(
      coded(
        value => Number.isInteger(value) && Number(value) >= from && Number(value) <= to,
        'INVALID_JOB_OPTION',
        `must be a whole number from ${from} to ${to}`,
      ),
    )
    .transform(Number)

const jobId = z
  .unknown()
  .check(
    coded(
      value => typeof value === 'string' && JOB_ID.test(value) && !RESERVED.has(value) && !/^\d+$/.test(value),
      'INVALID_JOB_OPTION',
      'must be 1 to 128 letters, digits, dots, underscores or hyphens, no whole number and no name that BullMQ uses',
    ),
  )
  .transform(String)

const optionSchemas = {
  /** In ms. */
  delay: whole(0, MAX_DELAY_MS).optional(),
  /** 1 is the most urgent; 0 or none goes before all of them. */
  priority: whole(0, MAX_PRIORITY).optional(),
  /** Of the session: the same job posted again under it is a repeat, another one is refused. */
  jobId: jobId.optional(),
  /** Unix ms. A job whose turn comes later fails with `JOB_EXPIRED`. */
  expiresAt: whole(0, MAX_TIME_MS).optional(),
}

const jobOptions = z.object(optionSchemas).optional()

/** What a job of a post has. */
const JOB_FIELDS = ['name', 'data', 'opts']

/** The outcome of reading a post: its jobs, and whether it was a batch; or what is wrong with it. */
export type PostCheck = { ok: true; jobs: NewJob[]; batch: boolean } | { ok: false; errors: FieldError[] }

/** Reads the body of `POST /v1/jobs`: one job, or `{"jobs": [...]}`. */
export function readPost(body: unknown): PostCheck {
  if (!isRecord(body)) return refuse('', 'must be a job or {"jobs": [...]}')
  if (!('jobs' in body)) {
    const errors: FieldError[] = []
    const job = readJob(body, '', errors)
    return job === undefined ? { ok: false, errors } : { ok: true, jobs: [job], batch: false }
  }
  const list = body['jobs']
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_BATCH) {
    return refuse('jobs', `must be a list of 1 to ${MAX_BATCH} jobs`)
  }
  const errors: FieldError[] = []
  const beside = Object.keys(body).filter(name => name !== 'jobs')
  tell(errors, beside.slice(0, MAX_FIELD_ERRORS).map(besideJobs))
  const jobs = list.flatMap((item, index) => readJob(item, `jobs[${index}]`, errors) ?? [])
  return errors.length > 0 ? { ok: false, errors } : { ok: true, jobs, batch: true }
}

function readJob(item: unknown, base: string, errors: FieldError[]): NewJob | undefined {
  if (!isRecord(item)) {
    tell(errors, [{ path: base, code: 'INVALID_FIELD', message: 'must be an object with name and data' }])
    return undefined
  }
  const checked = checkJob(item['name'], item['data'], base)
  const beside = fieldsBeside(item, base)
  tell(errors, [...(checked.ok ? checked.unknown : checked.errors), ...beside])
  const options = readOptions(item['opts'], base === '' ? 'opts' : `${base}.opts`, errors)
  if (!checked.ok || checked.unknown.length > 0 || beside.length > 0 || options === undefined) return undefined
  // What the schema returned, not what was posted: unknown fields may be megabytes that nobody reads.
  return { ...checked.job, sessionId: checked.job.data.sessionId, ...options }
}

/** Fields beside `data` that no job has. Many are options of the job or belong into its data, and are told so. */
function fieldsBeside(item: Record<string, unknown>, path: string): FieldError[] {
  const names = Object.keys(item).filter(name => !JOB_FIELDS.includes(name))
  const { name: job } = item
  const dataFields = isJobName(job) ? Object.keys(jobSchemas[job].shape) : ['sessionId']
  return names.slice(0, MAX_FIELD_ERRORS).map(name => {
    const error = unknownField(name, { owner: 'a job', path, known: JOB_FIELDS })
    if (Object.hasOwn(optionSchemas, name)) return { ...error, message: 'is an option: put it into opts' }
    return dataFields.includes(name) ? { ...error, message: 'belongs to the job: put it into data' } : error
  })
}

function besideJobs(name: string): FieldError {
  return unknownField(name, { owner: 'a batch', path: '', known: ['jobs'] })
}

function readOptions(
  opts: unknown,
  path: string,
  errors: FieldError[],
): Pick<NewJob, 'delay' | 'priority' | 'jobId' | 'expiresAt'> | undefined {
  if (opts === undefined) return {}
  const code = 'INVALID_JOB_OPTION'
  const unknown = isRecord(opts) ? Object.keys(opts).filter(name => !Object.hasOwn(optionSchemas, name)) : []
  const known = { owner: 'opts', path, known: Object.keys(optionSchemas) }
  tell(
    errors,
    unknown.slice(0, MAX_FIELD_ERRORS).map(name => ({ ...unknownField(name, known), code })),
  )
  const result = jobOptions.safeParse(opts, { reportInput: true })
  if (!result.success) {
    tell(
      errors,
      fieldErrors(result.error, path).map(error => ({ ...error, code })),
    )
  }
  return result.success && unknown.length === 0 ? (result.data ?? {}) : undefined
}

/** Adds what there is room for. */
function tell(errors: FieldError[], more: readonly FieldError[]): void {
  errors.push(...more.slice(0, Math.max(0, MAX_FIELD_ERRORS - errors.length)))
}

function refuse(path: string, message: string): PostCheck {
  return { ok: false, errors: [{ path, code: 'INVALID_FIELD', message }] }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
