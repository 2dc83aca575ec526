import type { JobEvent } from '../../shared/events.ts'
import { ownIdOf } from '../../shared/job-id.ts'
import { isOperationName } from '../../shared/operations.ts'
import type { OutcomeOf } from '../jobs/ending.ts'
import { newEventId } from './append.ts'

/** An event for each job that names a session. Operations tell of events themselves, and of nothing else. */
export const outcomeOf: OutcomeOf = ({ ref, ending }, now) => {
  const { sessionId, name } = ref
  if (sessionId === undefined || isOperationName(name)) return undefined
  const common = { sessionId, timestamp: Math.floor(now / 1000) }
  const data = { jobId: ownIdOf(sessionId, ref.id), name, attempts: ref.attemptsMade + 1 }
  const event: JobEvent =
    ending.state === 'completed'
      ? { event: 'job.completed', ...common, data: { ...data, result: ending.result } }
      : { event: 'job.failed', ...common, data: { ...data, error: { code: ending.code, message: ending.message } } }
  return { id: newEventId(), body: JSON.stringify(event) }
}
