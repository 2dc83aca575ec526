import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { keys } from '../../shared/keys.ts'
import { waitOut } from '../redis/outage.ts'

/** The process was given another number of partitions than the deployment has. */
export class PartitionsMismatch extends Error {
  constructor(recorded: string, given: number) {
    super(
      `PARTITIONS is ${given}, but this Redis was set up with ${recorded}; docs/architecture.md tells how to change it`,
    )
    this.name = 'PartitionsMismatch'
  }
}

/**
 * Records the deployment's number of partitions, or checks it against what is recorded: two processes that disagree
 * would look for the same session in different queues. Waits while Redis cannot be had. Throws {@link PartitionsMismatch}.
 */
export async function agreeOnPartitions(redis: Redis, partitions: number, log: Logger): Promise<void> {
  const recorded = await waitOut(async () => {
    const before = await redis.get(keys.partitions)
    if (before !== null) return before
    // A full Redis refuses it even when it would change nothing, and it takes a worker that starts to empty one.
    await redis.setnx(keys.partitions, partitions)
    return redis.get(keys.partitions)
  }, log)
  if (recorded !== String(partitions)) throw new PartitionsMismatch(recorded ?? 'nothing', partitions)
}
