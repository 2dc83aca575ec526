import type { JobName } from '../../shared/contract.ts'
import type { JobResult } from '../../shared/receipt.ts'
import type { Job } from '../jobs/job.ts'
import type { SendContext } from '../whatsapp/send.ts'

/** Jobs that need an open session. START, STOP and DELETE are the registry's own. */
export type SessionJobName = Exclude<JobName, 'START_SESSION' | 'STOP_SESSION' | 'DELETE_SESSION'>

/**
 * Does one job. Throws `JobFailure`. `signal` aborts when the socket closes, the lease is lost or the worker stops;
 * whatever a handler throws after its socket closed counts as `retry: 'wait'`.
 */
export type Handler<N extends SessionJobName> = (
  context: SendContext,
  job: Job<N>,
  signal: AbortSignal,
) => Promise<JobResult>

/** One handler a job type; the compiler names what is missing. */
export type Handlers = { [N in SessionJobName]: Handler<N> }
