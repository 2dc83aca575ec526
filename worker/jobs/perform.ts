import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { JobResult } from '../../shared/receipt.ts'
import { FencedError } from '../redis/fenced.ts'
import { JobFailure } from './job.ts'
import type { Clock } from '../core.ts'
import type { Fence } from '../ownership/fence.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Turn } from './lane/turn.ts'
import type { Ending } from './ending.ts'
import type { Finisher } from './bullmq/finish.ts'
import type { Held } from './read.ts'

/** Told of each job's end, for metrics and outcome events. */
export interface JobWatch {
  /** A job ended for good, and Redis knows. `seconds`: from its start. */
  ended?(held: Held, ending: Ending, seconds: number): void
  /** A job failed and will be tried again. */
  retried?(held: Held, code: string): void
}

/** What performing needs. */
export interface PerformDeps {
  sessions: Pick<Sessions, 'run'>
  finisher: Finisher
  fence: Fence
  /** Aborted when jobs that run should end now. */
  signal: AbortSignal
  log: Logger
  clock: Clock
  watch: JobWatch
}

/** When workers have died so often while they ran the same job, the job is why, and fails. */
export const MOST_CRASHES = 10
/** When WhatsApp has closed so many connections at the same job, the job is why, and fails. */
export const MOST_CLOSINGS = 5
const SETTLE_PAUSE_MS = 500

/** See `LaneDeps.perform`. */
export type Perform = (held: Held, turn: Turn) => Promise<'again' | { settled: Promise<void> }>

/** Makes the lanes' `perform`: runs a job, then tells Redis how it ended, for as long as the lease is ours. */
export function createPerform(deps: PerformDeps): Perform {
  const { sessions, finisher, fence, signal, clock, watch } = deps

  async function settle(held: Held, work: () => Promise<void>) {
    while (!fence.signal.aborted) {
      try {
        return await work()
      } catch (error) {
        if (error instanceof FencedError) return
        deps.log.warn({ jobId: held.id, sessionId: held.sessionId, err: error }, 'job not settled, trying again')
        await sleep(SETTLE_PAUSE_MS, undefined, { signal: fence.signal }).catch(() => undefined)
      }
    }
  }

  return async (held, turn) => {
    const startedAt = clock.monotonic()
    const end = (ending: Ending) => ({
      settled: settle(held, async () => {
        await finisher.finish(held, ending)
        watch.ended?.(held, ending, (clock.monotonic() - startedAt) / 1000)
      }),
    })
    if (held.crashes >= MOST_CRASHES) {
      const message = `the worker died ${held.crashes} times while it ran this job`
      return end({ state: 'failed', code: 'CRASHED_TOO_OFTEN', message })
    }
    if (held.closings >= MOST_CLOSINGS) {
      const message = `WhatsApp closed the connection ${held.closings} times while this job ran`
      return end({ state: 'failed', code: 'CONNECTION_ENDED_AT_SEND', message })
    }
    const { expiresAt } = held.options
    if (expiresAt !== undefined && clock.now() >= expiresAt) {
      return end({ state: 'failed', code: 'JOB_EXPIRED', message: 'the job was not run before its expiresAt' })
    }
    try {
      return end({
        state: 'completed',
        result: { ...(await sessions.run(held.job, signal, turn)), ...warningsOf(held) },
      })
    } catch (error) {
      const failure = asFailure(error)
      const { code, message } = failure
      const fields = { jobId: held.id, sessionId: held.sessionId, job: held.name, code, retry: failure.retry }
      if (error !== failure) deps.log.error({ ...fields, err: error }, 'job failed unexpectedly')
      // The message is for whoever asks for the job's status; it may name a number, and logs are read by others.
      else deps.log.info({ ...fields, reason: message.replaceAll(/\d{6,}/g, '...') }, 'job failed')
      if (failure.retry === 'wait') return 'again'
      if (failure.retry === 'never') return end({ state: 'failed', code, message })
      const settled = settle(held, async () => {
        const fate = await finisher.retry(held, code, message)
        const seconds = (clock.monotonic() - startedAt) / 1000
        if (fate === 'failed') watch.ended?.(held, { state: 'failed', code, message }, seconds)
        else watch.retried?.(held, code)
      })
      return { settled }
    }
  }
}

/** Nobody else tells a foreign producer that a field which it gave does nothing. */
function warningsOf({ warnings }: Held): Pick<JobResult, 'warnings'> {
  return warnings.length === 0 ? {} : { warnings: [...warnings] }
}

function asFailure(error: unknown): JobFailure {
  if (error instanceof JobFailure) return error
  // The message of a defect may hold anything, a message body included; it goes to the log's redaction alone.
  return new JobFailure('INTERNAL', 'an unexpected error, see the log of the worker', 'backoff')
}
