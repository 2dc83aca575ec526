import type { ContractJob, JobName } from '../../shared/contract.ts'
import type { JobCode } from '../../shared/errors.ts'

/** A checked job on its way through a lane. `id` and `queue` name it in BullMQ; `createdAt` is its timestamp in ms. */
export type Job<N extends JobName = JobName> = Extract<ContractJob, { name: N }> & {
  id: string
  queue: string
  createdAt: number
  /** 1 for the first attempt. */
  attempt: number
}

/**
 * Why a job did not complete. `never`: fails for good. `backoff`: BullMQ's attempts and backoff apply. `wait`: the
 * session went away under it; it keeps its place and runs again when the session is open, and no attempt is counted.
 */
export type Retry = 'never' | 'backoff' | 'wait'

/** The one error a handler throws on purpose. Anything else is a defect and is treated as `INTERNAL`, `backoff`. */
export class JobFailure extends Error {
  readonly code: JobCode
  readonly retry: Retry

  constructor(code: JobCode, message: string, retry: Retry = 'never') {
    super(message)
    this.name = 'JobFailure'
    this.code = code
    this.retry = retry
  }
}
