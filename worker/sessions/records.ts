import { keys } from '../../shared/keys.ts'
import { readSessionView, type SessionView } from '../../shared/session.ts'
import { persist } from '../redis/persist.ts'
import { isThere, readHash, readSet } from '../redis/reads.ts'
import { fencedScript, type FencedScript } from '../redis/fenced.ts'
import { queueOf } from '../../shared/partition.ts'
import { secretKeys } from '../whatsapp/secrets/store.ts'
import { layoutOf } from '../jobs/bullmq/layout.ts'
import { untell } from '../jobs/bullmq/told.ts'
import type { Core } from '../core.ts'
import type { Fence } from '../ownership/fence.ts'

/** What Redis keeps of sessions beside their credentials and events. Writes throw `FencedError`. */
export interface Records {
  /** Sessions that were started and not stopped: what an owner brings back. */
  started(): Promise<string[]>
  markStarted(sessionId: string): Promise<void>
  unmarkStarted(sessionId: string): Promise<void>
  view(sessionId: string): Promise<SessionView | undefined>
  /** Changes the push name alone, when there is a view: it arrives some time after the session has opened. */
  rename(sessionId: string, pushName: string): Promise<void>
  /**
   * Removes what a session leaves beside credentials, view and outbox: sent messages, receipts and
   * what BullMQ's stream tells of its jobs, and with them the mark that it was started. Its parked jobs stay: they are jobs of the queue, and fail when their lane runs. That
   * it was deleted is remembered for a while, so that they are not kept then.
   */
  forget(sessionId: string): Promise<void>
  hasCredentials(sessionId: string): Promise<boolean>
}

const add = fencedScript(`return redis.call('SADD', KEYS[1], ARGV[1])`)
const take = fencedScript(`return redis.call('SREM', KEYS[1], ARGV[1])`)
const rename = fencedScript(
  `if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'pushName', ARGV[1]) end`,
)
const pause = fencedScript(
  `if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'inboundPausedSince', ARGV[1]) end`,
)
/** Longer than the longest backoff, after which a job that was to be tried again finds its session gone. */
const REMEMBERED_MS = 2 * 24 * 60 * 60 * 1000

/** Receipts that one command removes: a session may have had 300,000 in a day, and other clients of Redis wait. */
const MOST_RECEIPTS = 2000

// KEYS started, deleted, receipts, and what else goes; ARGV session, now.
const forget = fencedScript(`
redis.call('SREM', KEYS[1], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[2] + ${REMEMBERED_MS}, ARGV[1])
local receipts = redis.call('ZRANGE', KEYS[3], 0, ${MOST_RECEIPTS - 1})
for _, receipt in ipairs(receipts) do redis.call('DEL', receipt) end
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, ${MOST_RECEIPTS - 1})
if #receipts == ${MOST_RECEIPTS} then return 1 end
for i = 3, #KEYS do redis.call('DEL', KEYS[i]) end
return 0
`)

/** The records of the sessions of one owned partition. */
export function createRecords(core: Core, fence: Fence): Records {
  const { redis, log, clock } = core
  const started = keys.started(fence.partition)
  // All of these may run twice, and an outage of Redis must not leave a session half-way.
  const ask = async (script: FencedScript, at: readonly string[], ...args: (string | number)[]) =>
    persist(async () => script.run(redis, fence, at, args), fence, log)
  const run = async (...call: Parameters<typeof ask>): Promise<void> => void (await ask(...call))

  return {
    started: async () => readSet(redis, fence, started),
    markStarted: async sessionId => run(add, [started], sessionId),
    unmarkStarted: async sessionId => run(take, [started], sessionId),
    view: async sessionId => readSessionView(await readHash(redis, fence, keys.session(sessionId))),
    rename: async (sessionId, pushName) => run(rename, [keys.session(sessionId)], pushName),
    async forget(sessionId) {
      await untell(core, fence, layoutOf(queueOf(fence.partition)), sessionId)
      const owned = [
        keys.receipts(sessionId),
        keys.sent(sessionId),
        keys.sentTimes(sessionId),
        keys.unread(sessionId),
        ...secretKeys(sessionId),
      ]
      while ((await ask(forget, [started, keys.deleted, ...owned], sessionId, clock.now())) === 1);
    },
    hasCredentials: async sessionId => isThere(redis, fence, keys.credentials(sessionId)),
  }
}

/**
 * Says in the session's view that its messages stay at WhatsApp. The next change of its state takes that away: it comes with
 * another socket. Throws what Redis answers.
 */
export async function showInboundPaused({ redis, clock }: Core, fence: Fence, sessionId: string): Promise<void> {
  await pause.run(redis, fence, [keys.session(sessionId)], [clock.now()])
}
