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
