import type { Logger } from 'pino'
import type { Operation } from '../../shared/operations.ts'
import type { JobResult } from '../../shared/receipt.ts'
import { FencedError } from '../redis/fenced.ts'
import { JobFailure } from './job.ts'
import type { Finisher } from './bullmq/finish.ts'
import type { JobRef } from './read.ts'

/** Does an operation. It may be done again, after a crash. Throws `JobFailure`, `FencedError`. */
export type Operate = (operation: Operation) => Promise<JobResult>

/** What doing operations needs. */
export interface OperationDeps {
  operate: Operate
  finisher: Finisher
  log: Logger
}

/**
 * Does an operation that was taken from the queue, and ends its job. It needs no place in its session's lane: it asks nothing
 * of WhatsApp, and a person who wants events again must not wait until the session opens. Throws `FencedError`, or that Redis
 * is away.
 */
export async function runOperation(
  { operate, finisher, log }: OperationDeps,
  { ref, operation }: { ref: JobRef; operation: Operation },
): Promise<void> {
  const fields = { jobId: ref.id, sessionId: ref.sessionId, job: ref.name }
  let result: JobResult
  try {
    result = await operate(operation)
  } catch (error) {
    if (error instanceof FencedError) throw error
    if (error instanceof JobFailure) {
      const { code, message } = error
      log.info({ ...fields, code }, 'operation failed')
      return finisher.finish(ref, { state: 'failed', code, message })
    }
    log.error({ ...fields, err: error }, 'operation failed unexpectedly')
    return void (await finisher.retry(ref, 'INTERNAL', 'an unexpected error, see the log of the worker'))
  }
  await finisher.finish(ref, { state: 'completed', result })
}
