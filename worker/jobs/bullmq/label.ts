import { SESSION_FIELD } from '../../../shared/keys.ts'
import { fencedScript } from '../../redis/fenced.ts'
import type { OwnedQueue } from './owned-queue.ts'
import { sessionNamed, type Unread } from '../read.ts'

const LABEL = fencedScript(`
for i = 2, #ARGV, 2 do
  local key = ARGV[1] .. ARGV[i]
  -- What has become no job meanwhile is met by the next look at it.
  if redis.call('EXISTS', key) == 1 then redis.pcall('HSETNX', key, '${SESSION_FIELD}', ARGV[i + 1]) end
end
return 1
`)

/**
 * Writes into jobs of foreign producers whose they are, as JavaScript reads it: scripts go by that. Resolves with the
 * session of each, empty where the data names none. Throws as fenced scripts do.
 */
export async function label(
  { redis, fence, layout }: Pick<OwnedQueue, 'redis' | 'fence' | 'layout'>,
  unread: readonly Unread[],
): Promise<string[]> {
  if (unread.length === 0) return []
  const sessions = unread.map(([, data]) => sessionNamed(data))
  const pairs = unread.flatMap(([id], i) => [id, sessions[i] ?? ''])
  await LABEL.run(redis, fence, [], [layout.prefix, ...pairs])
  return sessions
}
