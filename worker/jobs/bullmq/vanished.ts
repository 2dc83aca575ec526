import { fencedScript } from '../../redis/fenced.ts'
import type { OwnedQueue } from './owned-queue.ts'

// The fetch counted a start in the hash, so of a job that was removed there is a rest. But a producer that chooses its
// ids may have added the job anew since we looked: then the hash is an accepted job's.
const DROP = fencedScript(`
redis.call('LREM', KEYS[1], 1, ARGV[1])
if redis.call('HEXISTS', KEYS[2], 'data') == 0 then redis.call('HDEL', KEYS[2], 'processedOn', 'ats', 'pb') end
return 1
`)

/** Lets go of an id in `active` whose job somebody removed. Throws `FencedError`, or that Redis is away. */
export async function dropVanished({ redis, fence, layout }: OwnedQueue, id: string): Promise<void> {
  await DROP.run(redis, fence, [layout.active, layout.prefix + id], [id])
}
