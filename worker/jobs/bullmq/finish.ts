import type { JobCode } from '../../../shared/errors.ts'
import { createBatcher } from '../../redis/batch.ts'
import { FencedError, fencedScript } from '../../redis/fenced.ts'
import type { Ended, Ending, Outcomes } from '../ending.ts'
import { finishAll } from './finish-script.ts'
import { backoffMs } from './options.ts'
import type { OwnedQueue } from './owned-queue.ts'
import type { JobRef } from '../read.ts'
import { MOVE_TO_DELAYED, NO_LOCK, TRACED } from './scripts.ts'

/** Ends held jobs in Redis. */
export interface Finisher {
  /**
   * Moves a job to BullMQ's completed or failed jobs (or removes it, as its options say) and leaves its receipt, in one
   * command. A job that somebody removed meanwhile is no error.
   */
  finish(ref: JobRef, ending: Ending, from?: Ended['from']): Promise<void>
  /** Sends a job to its next attempt after its backoff, or fails it when it has no attempts left. */
  retry(ref: JobRef, code: JobCode, message: string): Promise<'delayed' | 'failed'>
}

const DELAY = fencedScript(`${MOVE_TO_DELAYED}${TRACED}
ARGV[7] = cmsgpack.pack({'failedReason', ARGV[7], 'stacktrace', traced(KEYS[5], ARGV[7])})
return moveToDelayed(KEYS, ARGV)
`)

/** Most jobs that one command ends; keeps the script short for everyone else on Redis. */
const MOST_AT_ONCE = 64

/**
 * See {@link Finisher}. While a command is on its way, jobs that end go together in the next. Without `outcomes` no events
 * tell of jobs.
 */
export function createFinisher(queue: OwnedQueue, outcomes?: Outcomes): Finisher {
  const { redis, fence, layout, clock } = queue
  const waiting = createBatcher<Ended & PromiseWithResolvers<void>>({
    together: () => MOST_AT_ONCE,
    send,
  })

  async function send(batch: readonly (Ended & PromiseWithResolvers<void>)[]) {
    try {
      const now = clock.now()
      const events = batch.map(ended => outcomes?.of(ended, now))
      const seqs = await finishAll(queue, now, batch, events)
      batch.forEach((ended, i) => {
        const { sessionId } = ended.ref
        if (events[i] !== undefined && sessionId !== undefined) outcomes?.stored(sessionId, seqs[i] ?? 0)
        ended.resolve()
      })
    } catch (error) {
      if (batch.length === 1 || error instanceof FencedError) {
        batch.forEach(ended => ended.reject(error))
        return
      }
      // One job that Redis cannot end, such as one whose keys hold something else, must not keep the others from it.
      for (const ended of batch) await send([ended])
    }
  }

  async function finish(ref: JobRef, ending: Ending, from?: Ended['from']) {
    const ended = { ref, ending, from, ...Promise.withResolvers<void>() }
    waiting.add(ended)
    await ended.promise
  }

  return {
    finish,
    async retry(ref, code, message) {
      if (ref.attemptsMade + 1 >= ref.options.attempts) {
        await finish(ref, { state: 'failed', code, message })
        return 'failed'
      }
      const { marker, active, prioritized, delayed, events, meta, stalled, wait, limiter, priorities, prefix } = layout
      const job = prefix + ref.id
      const scriptKeys = [marker, active, prioritized, delayed, job, events, meta, stalled, wait, limiter, priorities]
      const delay = backoffMs(ref.options, ref.attemptsMade + 1)
      const failure = `${code}: ${message}`
      await DELAY.run(redis, fence, scriptKeys, [prefix, clock.now(), ref.id, NO_LOCK, delay, 0, failure, 0, ''])
      return 'delayed'
    },
  }
}
