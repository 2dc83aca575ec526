import { moveToActive } from 'bullmq/dist/esm/scripts/moveToActive-11.js'
import { moveToDelayed } from 'bullmq/dist/esm/scripts/moveToDelayed-11.js'
import { moveToFinished } from 'bullmq/dist/esm/scripts/moveToFinished-14.js'
import { removeJob } from 'bullmq/dist/esm/scripts/removeJob-2.js'

// BullMQ's own Lua does every move that BullMQ knows, so that what we leave in Redis is what it would leave, and an
// upgrade of bullmq upgrades this consumer. Its text is wrapped in a function, which our scripts call behind the
// comparison with the lease, several times in one command, and together with what belongs to the move.
function wrapped(name: string, { content }: { content: string }): string {
  return `local function ${name}(KEYS, ARGV)\n${content}\nend\n`
}

/**
 * Lua: `traced(job, failure)` answers the `stacktrace` of a job that has failed once more, as BullMQ keeps it: a JSON list
 * with a text for each attempt. Beyond 16 KiB it begins anew.
 */
export const TRACED = `local function traced(job, failure)
  local before = redis.call('HGET', job, 'stacktrace')
  local text = cjson.encode(failure)
  if before and #before < 16384 and string.match(before, '^%[".*"%]$') then
    return string.sub(before, 1, -2) .. ',' .. text .. ']'
  end
  return '[' .. text .. ']'
end
`

/** Lua: `moveToActive(KEYS, ARGV)`. */
export const MOVE_TO_ACTIVE = wrapped('moveToActive', moveToActive)
/** Lua: `moveToDelayed(KEYS, ARGV)`. */
export const MOVE_TO_DELAYED = wrapped('moveToDelayed', moveToDelayed)
/** Lua: `moveToFinished(KEYS, ARGV)`. */
export const MOVE_TO_FINISHED = wrapped('moveToFinished', moveToFinished)
/** Lua: `removeJob(KEYS, ARGV)`. */
export const REMOVE_JOB = wrapped('removeJob', removeJob)

/**
 * BullMQ's word for "take no lock". A lock says which of several consumers has the job; here the lease says it for all
 * jobs of the partition, needs no renewal, and ends them all at once.
 */
export const NO_LOCK = '0'
