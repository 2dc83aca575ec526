import type { Operate } from '../jobs/operations.ts'
import { JobFailure } from '../jobs/job.ts'
import type { Deliverer } from './deliverer.ts'

/** The operations on the events of one owned partition. */
export function createOperate(deliverer: Pick<Deliverer, 'replay' | 'redrive'>): Operate {
  return async ({ name, data }) => {
    if (name === 'REPLAY_EVENTS') {
      const replayed = await deliverer.replay(data.sessionId, data.fromSeq)
      if (replayed === undefined) throw new JobFailure('SESSION_NOT_FOUND', 'the session has no events')
      return { replayed }
    }
    const seq = await deliverer.redrive(data.sessionId, data.seq)
    if (seq === undefined) throw new JobFailure('EVENT_NOT_PARKED', `event ${data.seq} is not parked`)
    return { seq }
  }
}
