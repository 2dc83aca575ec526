/** The queue of the contract, and of partition 0. */
export const QUEUE = 'whatsapp-jobs'

/** Most partitions a deployment may have; each costs one blocking Redis connection in its owner. */
export const MAX_PARTITIONS = 256

/**
 * The partition a session lives in: FNV-1a of its id, with a final mix because FNV's low bits are weak for short
 * ids, modulo the number of partitions. Edge and worker must agree for ever, so this never changes.
 */
export function partitionOf(sessionId: string, partitions: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < sessionId.length; i++) hash = Math.imul(hash ^ sessionId.charCodeAt(i), 0x01000193)
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  return (hash >>> 0) % partitions
}

/** The BullMQ queue of a partition: the contract's name for 0, `whatsapp-jobs-<i>` for the others. */
export function queueOf(partition: number): string {
  return partition === 0 ? QUEUE : `${QUEUE}-${partition}`
}

/**
 * The id a job has after its worker forwarded it from the queue of `partition`, where its producer put it, to that of
 * its session. Its own id may be taken there: each queue counts for itself, and BullMQ overwrites a job whose number it
 * gives again.
 */
export function forwardedId(partition: number, id: string): string {
  return `from-${partition}-${id}`
}
