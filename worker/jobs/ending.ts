import type { JobCode } from '../../shared/errors.ts'
import type { JobResult } from '../../shared/receipt.ts'
import type { JobRef } from './read.ts'

/** How a job ended for good. */
export type Ending = { state: 'completed'; result: JobResult } | { state: 'failed'; code: JobCode; message: string }

/** A job that ended for good. */
export interface Ended {
  ref: JobRef
  ending: Ending
  /** It does not run, but waits among the delayed jobs; when it has left them it is not ended. */
  from?: 'delayed' | undefined
}

/** Makes the event that tells of an ended job, if any: its webhook-id and the text to send. `now` is Unix ms. */
export type OutcomeOf = (ended: Ended, now: number) => { id: string; body: string } | undefined

/** Events of ended jobs. They go to their sessions' outboxes in the command that ends the jobs. */
export interface Outcomes {
  of: OutcomeOf
  /** Told of the newest seq of a session to whose outbox an event was added. */
  stored(sessionId: string, seq: number): void
}
