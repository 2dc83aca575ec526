import type { Redis } from 'ioredis'
import { keys } from '../../shared/keys.ts'

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
 * would look for the same session in different queues. Throws {@link PartitionsMismatch}.
 */
export async function agreeOnPartitions(redis: Redis, partitions: number): Promise<void> {
  await redis.setnx(keys.partitions, partitions)
  const recorded = await redis.get(keys.partitions)
  if (recorded !== String(partitions)) throw new PartitionsMismatch(recorded ?? 'nothing', partitions)
}
