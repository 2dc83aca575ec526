import { keys } from '../../../shared/keys.ts'
import { RECEIPT_TTL_SECONDS } from '../../../shared/receipt.ts'
import { STORE } from '../../outbox/scripts.ts'
import { fencedScript } from '../../redis/fenced.ts'
import type { OwnedQueue } from './owned-queue.ts'
import { TELL_ORIGIN } from './origin.ts'
import { MOVE_TO_FINISHED, NO_LOCK, TRACED } from './scripts.ts'
import type { Ended, OutcomeOf } from '../ending.ts'

// A receipt is written whatever BullMQ's script answers: it answers an error to a command that is sent again after a
// broken connection, and then the receipt is written again as it was. The event that tells of the job is stored only
// with the move itself, so once, and with all of it or not at all. For a session that has no view (it is deleted, or
// never was) the outbox is marked as that of a deleted one, and goes when the event is delivered. A job that ends after
// its session was deleted is not kept, whatever its options say: it would hold the text of a message for ever.
const FINISH = fencedScript(`${MOVE_TO_FINISHED}${STORE}${TRACED}${TELL_ORIGIN}
local prefix, now, receipts, indexes, ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local cursors, outboxes, views, deletions = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local packed = {}
local function gone(session)
  return session ~= '' and redis.call('ZSCORE', deletions, session) and redis.call('EXISTS', views .. session) == 0
end
local function pack(options, session)
  if not packed[options] then
    local decoded = cjson.decode(options)
    packed[options] = {cmsgpack.pack(decoded), kept = decoded.keepJobs.count ~= 0}
    decoded.keepJobs = {count = 0}
    packed[options][2] = cmsgpack.pack(decoded)
  end
  return packed[options][packed[options].kept and gone(session) and 2 or 1]
end
local function tell(session, eventId, body, moved)
  local cursor = cursors .. session
  if not moved then return tonumber(redis.call('HGET', cursor, 'seq') or '0') end
  if redis.call('EXISTS', views .. session) == 0 then redis.call('HSET', cursor, 'deleted', '1') end
  return store(cursor, outboxes .. session, KEYS[14], session, eventId, now, body)
end
local function finish(from, id, session, indexed, name, state, value, options, attempts, code, message, eventId, body)
  if from == 'delayed' then
    if redis.call('ZREM', KEYS[7], id) == 0 then return 0 end
    redis.call('LPUSH', KEYS[2], id)
  end
  local completed = state == 'completed'
  local bullmqKeys = {unpack(KEYS, 1, 10)}
  bullmqKeys[11] = completed and KEYS[12] or KEYS[13]
  bullmqKeys[12] = prefix .. id
  bullmqKeys[13] = prefix .. 'metrics:' .. state
  bullmqKeys[14] = KEYS[11]
  local property = completed and 'returnvalue' or 'failedReason'
  local fields = completed and '' or cmsgpack.pack({'stacktrace', traced(prefix .. id, value)})
  local origin = originOf(id, prefix .. id)
  local moved =
    moveToFinished(bullmqKeys, {id, now, property, value, state, '0', prefix, pack(options, session), fields}) == 0
  if moved and origin then tellOrigin(origin, state, property, value) end
  local receipt = receipts .. id
  redis.call('DEL', receipt)
  redis.call('HSET', receipt, 'sessionId', session, 'name', name, 'state', state, 'attempts', attempts,
    'finishedAt', now, unpack(completed and {'result', value} or {'code', code, 'message', message}))
  redis.call('EXPIRE', receipt, ttl)
  if indexed == '1' and not gone(session) then
    local index = indexes .. session
    redis.call('ZADD', index, now + ttl * 1000, receipt)
    redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
    redis.call('EXPIRE', index, ttl)
  end
  return eventId == '' and 0 or tell(session, eventId, body, moved)
end
local seqs = {}
for i = 10, #ARGV, 13 do seqs[#seqs + 1] = finish(unpack(ARGV, i, i + 12)) end
return seqs
`)

/** How many minutes back BullMQ's `getMetrics()` tells of: a week. */
const METRICS_MINUTES = 7 * 24 * 60

/**
 * Ends jobs in one command, in their order, and stores the event of each that has one. Answers the newest seq of each
 * job's session, 0 where there is no event. Throws `FencedError`, or an error after which some may have ended.
 */
export async function finishAll(
  { redis, fence, layout }: OwnedQueue,
  now: number,
  ended: readonly Ended[],
  outcomes: readonly ReturnType<OutcomeOf>[],
): Promise<number[]> {
  const { wait, active, prioritized, events, stalled, limiter, delayed, paused, meta, priorities, marker } = layout
  const common = [wait, active, prioritized, events, stalled, limiter, delayed, paused, meta, priorities]
  const scriptKeys = [...common, marker, layout.completed, layout.failed, keys.undelivered(fence.partition)]
  const receipts = [keys.receipt(layout.queue, ''), keys.receipts(''), RECEIPT_TTL_SECONDS]
  const head = [layout.prefix, now, ...receipts, keys.cursor(''), keys.outbox(''), keys.session(''), keys.deleted]
  const args = ended.flatMap((each, i) => argumentsOf(each, outcomes[i]))
  return (await FINISH.run(redis, fence, scriptKeys, [...head, ...args])) as number[]
}

function argumentsOf({ ref, ending, from }: Ended, event: ReturnType<OutcomeOf>): (string | number)[] {
  const { attempts, removeOnComplete, removeOnFail } = ref.options
  const failed = ending.state === 'failed'
  // A deleted session leaves no key that names it, so the receipt of its deletion is listed nowhere and just expires.
  const indexed = ref.sessionId !== undefined && ref.name !== 'DELETE_SESSION'
  const keepJobs = failed ? removeOnFail : removeOnComplete
  return [
    from ?? '',
    ref.id,
    ref.sessionId ?? '',
    indexed ? 1 : 0,
    ref.name,
    ending.state,
    failed ? `${ending.code}: ${ending.message}` : JSON.stringify(ending.result),
    JSON.stringify({ token: NO_LOCK, keepJobs, attempts, maxMetricsSize: METRICS_MINUTES }),
    ref.attemptsMade + 1,
    failed ? ending.code : '',
    failed ? ending.message : '',
    event?.id ?? '',
    event?.body ?? '',
  ]
}
