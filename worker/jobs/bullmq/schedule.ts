import type { JobScheduler, JobsOptions, RepeatOptions } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { plainScript } from '../../redis/script.ts'
import type { Layout } from './layout.ts'
import type { RawJob } from '../read.ts'

// A producer of BullMQ 5 may use its older way, `add(..., { repeat })`: the schedule then has no data, and BullMQ 6 would
// make all jobs but the first without any.
const ADOPT = plainScript(`
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSETNX', KEYS[1], 'data', ARGV[1]) end
`)

/** BullMQ's job schedulers, which leave it to a Worker to add the next job of a schedule. */
export interface Schedules {
  /**
   * Adds the next job of the schedule that made this job, when it is fetched. Does nothing for other jobs. Never rejects: a
   * schedule that BullMQ refuses ends.
   */
  next(raw: RawJob): Promise<void>
}

/** See {@link Schedules}. BullMQ itself is loaded when the first such job comes. */
export function createSchedules(redis: Redis, layout: Layout, log: Logger): Schedules {
  let scheduler: Promise<JobScheduler> | undefined

  async function open(): Promise<JobScheduler> {
    const bullmq = await import('bullmq')
    const opened = new bullmq.JobScheduler(layout.queue, { connection: redis })
    opened.on('error', error => log.warn({ error: error.message }, 'job scheduler error'))
    return opened
  }

  return {
    async next(raw) {
      const [id, fields] = raw
      const key = valueOf(fields, 'rjk')
      if (key === undefined) return
      try {
        const { Job } = await import('bullmq')
        const opts: TemplateOptions = Job.optsFromJSON(valueOf(fields, 'opts') ?? '{}')
        if (opts.repeat === undefined) return
        const data: unknown = JSON.parse(valueOf(fields, 'data') ?? '{}')
        await ADOPT.run(redis, [`${layout.prefix}repeat:${key}`], [valueOf(fields, 'data') ?? '{}'])
        scheduler ??= open()
        // `producerId` makes a second call for the same job change nothing: it may be fetched again.
        const next = { override: false, producerId: id }
        await (await scheduler).upsertJobScheduler(key, opts.repeat, valueOf(fields, 'name') ?? '', data, opts, next)
      } catch (error) {
        log.warn({ jobId: id, error: error instanceof Error ? error.message : 'unknown' }, 'schedule not continued')
      }
    },
  }
}

/** Of a job that a scheduler made; BullMQ's types hide it. */
type TemplateOptions = JobsOptions & { repeat?: RepeatOptions }

function valueOf(fields: readonly string[], name: string): string | undefined {
  const at = fields.findIndex((field, i) => i % 2 === 0 && field === name)
  return at === -1 ? undefined : fields[at + 1]
}
