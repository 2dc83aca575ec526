import * as z from 'zod'

const DAY_MS = 24 * 60 * 60 * 1000
const milliseconds = z.number().min(0).max(DAY_MS)

/** How many finished jobs BullMQ keeps: `count: -1` all, `count: 0` none. */
export interface KeepJobs {
  count?: number | undefined
  age?: number | undefined
  limit?: number | undefined
}

const keep = z.union([
  z.boolean().transform((remove): KeepJobs => ({ count: remove ? 0 : -1 })),
  z.int().transform((count): KeepJobs => ({ count })),
  z
    .object({ count: z.int().optional(), age: z.number().optional(), limit: z.number().optional() })
    .transform((given): KeepJobs => given),
])

const backoff = z.union([
  milliseconds.transform(delay => ({ type: 'fixed', delay, jitter: 0 })),
  z.object({ type: z.string(), delay: milliseconds.catch(1000), jitter: z.number().min(0).max(1).catch(0) }),
])

/**
 * The BullMQ options of a job that a consumer obeys. They come from any producer, so each is replaced by BullMQ's
 * default when it is not what it should be.
 */
const jobOptions = z.object({
  attempts: z.int().min(1).max(1000).catch(1),
  backoff: backoff.optional().catch(undefined),
  removeOnComplete: keep.catch({ count: -1 }),
  removeOnFail: keep.catch({ count: -1 }),
  /** Ours: the time in ms after which the job must not run any more; it fails with `JOB_EXPIRED`. */
  expiresAt: z.number().optional().catch(undefined),
})

/** See {@link jobOptions}. */
export type JobOptions = z.infer<typeof jobOptions>

let last: { text: string | undefined; options: JobOptions } | undefined

/** Reads the `opts` field of a job. Most jobs have the options of the job before them, so the last ones are kept. */
export function readOptions(text: string | undefined): JobOptions {
  if (last === undefined || last.text !== text) last = { text, options: parseOptions(text) }
  return last.options
}

function parseOptions(text: string | undefined): JobOptions {
  let value: unknown
  try {
    value = JSON.parse(text ?? '{}')
  } catch {
    // The defaults below stand in.
  }
  return jobOptions.catch(jobOptions.parse({})).parse(value)
}

/** How long a job waits before its next attempt, in ms. `attemptsMade` counts the one that has just failed. */
export function backoffMs(options: JobOptions, attemptsMade: number, random: () => number = Math.random): number {
  if (options.backoff === undefined) return 0
  const { type, delay, jitter } = options.backoff
  const full = type === 'exponential' ? delay * 2 ** Math.min(attemptsMade - 1, 30) : delay
  return Math.min(DAY_MS, Math.round(full * (1 - jitter * random())))
}
