import type { Redis } from 'ioredis'
import type { JobCode } from '../../shared/errors.ts'
import { keys } from '../../shared/keys.ts'
import { RECEIPT_TTL_SECONDS, type JobResult } from '../../shared/receipt.ts'
import { fencedScript } from '../redis/fenced.ts'
import type { Clock, Fence } from '../types.ts'
import type { Layout } from './layout.ts'
import { backoffMs } from './options.ts'
import type { JobRef } from './read.ts'
import { MOVE_TO_DELAYED, MOVE_TO_FINISHED, NO_LOCK } from './scripts.ts'

/** How a job ended for good. */
export type Ending = { state: 'completed'; result: JobResult } | { state: 'failed'; code: JobCode; message: string }

/** Ends held jobs in Redis. */
export interface Finisher {
  /**
   * Moves a job to BullMQ's completed or failed jobs (or removes it, as its options say) and leaves its receipt, in one
   * command. A job that somebody removed meanwhile is no error.
   */
  finish(ref: JobRef, ending: Ending): Promise<void>
  /** Sends a job to its next attempt after its backoff, or fails it when it has no attempts left. */
  retry(ref: JobRef, code: JobCode, message: string): Promise<'delayed' | 'failed'>
}

// The receipt is written whatever BullMQ's script answers: it answers an error to a command that is sent again after a
// broken connection, and then the receipt is written again as it was.
const FINISH = fencedScript(`${MOVE_TO_FINISHED}
ARGV[8] = cmsgpack.pack(cjson.decode(ARGV[8]))
local code = moveToFinished(KEYS, ARGV)
local receipt, index, ttl, expires, id = KEYS[15], KEYS[16], ARGV[10], ARGV[11], ARGV[1]
redis.call('DEL', receipt)
redis.call('HSET', receipt, unpack(ARGV, 12))
redis.call('EXPIRE', receipt, ttl)
if index then
  redis.call('ZREMRANGEBYSCORE', index, '-inf', ARGV[2])
  redis.call('ZADD', index, expires, receipt)
  redis.call('EXPIRE', index, ttl)
end
return code
`)

const DELAY = fencedScript(`${MOVE_TO_DELAYED}
ARGV[7] = cmsgpack.pack(cjson.decode(ARGV[7]))
return moveToDelayed(KEYS, ARGV)
`)

/** What a finisher needs. */
export interface FinisherDeps {
  redis: Redis
  fence: Fence
  layout: Layout
  clock: Clock
}

/** See {@link Finisher}. */
export function createFinisher({ redis, fence, layout, clock }: FinisherDeps): Finisher {
  async function finish(ref: JobRef, ending: Ending) {
    const finishedAt = clock.now()
    const failed = ending.state === 'failed'
    const text = failed ? reason(ending.code, ending.message) : JSON.stringify(ending.result)
    const keep = failed ? ref.options.removeOnFail : ref.options.removeOnComplete
    const { attempts } = ref.options
    const options = { token: NO_LOCK, keepJobs: keep, attempts, maxMetricsSize: '' }
    const bullmq = [
      ref.id,
      finishedAt,
      failed ? 'failedReason' : 'returnvalue',
      text,
      ending.state,
      0,
      layout.prefix,
      JSON.stringify(options),
      '',
    ]
    const receipt = {
      sessionId: ref.sessionId ?? '',
      name: ref.name,
      state: ending.state,
      attempts: ref.attemptsMade + 1,
      ...(failed ? { code: ending.code, message: ending.message } : { result: text }),
      finishedAt,
    }
    const ttl = RECEIPT_TTL_SECONDS
    const ours = [ttl, finishedAt + ttl * 1000, ...Object.entries(receipt).flat()]
    await FINISH.run(redis, fence, [...finishedKeys(ref, ending.state), ...receiptKeys(ref)], [...bullmq, ...ours])
  }

  function finishedKeys(ref: JobRef, state: Ending['state']): string[] {
    const { wait, active, prioritized, events, stalled, limiter, delayed, paused, meta, priorities, marker } = layout
    const ours = [layout[state], layout.prefix + ref.id, `${layout.prefix}metrics:${state}`, marker]
    return [wait, active, prioritized, events, stalled, limiter, delayed, paused, meta, priorities, ...ours]
  }

  function receiptKeys(ref: JobRef): string[] {
    const receipt = keys.receipt(layout.queue, ref.id)
    // A deleted session leaves no key that names it, so the receipt of its deletion is listed nowhere and just expires.
    if (ref.sessionId === undefined || ref.name === 'DELETE_SESSION') return [receipt]
    return [receipt, keys.receipts(ref.sessionId)]
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
      const fields = JSON.stringify(['failedReason', reason(code, message)])
      await DELAY.run(redis, fence, scriptKeys, [prefix, clock.now(), ref.id, NO_LOCK, delay, 0, fields, 0, ''])
      return 'delayed'
    },
  }
}

function reason(code: JobCode, message: string): string {
  return `${code}: ${message}`
}
