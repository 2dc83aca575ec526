import type { Redis } from 'ioredis'
import { keys } from '../../shared/keys.ts'
import { fencedScript } from '../redis/fenced.ts'
import type { Fence } from '../ownership/fence.ts'
import type { Cipher } from './cipher.ts'
import { placeOf } from './names.ts'

/** What {@link rotateCredentials} needs. */
export interface RotateDeps {
  redis: Redis
  fence: Fence
  cipher: Cipher
}

/** Fields looked at in one command. */
const PAGE = 200

// A value that was written since it was read stays: to put the older one back would use message counters again.
const replace = fencedScript(`
local replaced = 0
for i = 1, #ARGV, 3 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    replaced = replaced + 1
  end
end
return replaced
`)

/**
 * Encrypts every credential of a session anew that is not under the first key, and resolves with how many were: when
 * all sessions have been open once under the new key, the old one can go. Does nothing while one key is given. Throws
 * `UnreadableError` for a value that no key decrypts, and leaves it.
 */
export async function rotateCredentials({ redis, fence, cipher }: RotateDeps, sessionId: string): Promise<number> {
  if (!cipher.rotating) return 0
  const hash = keys.credentials(sessionId)
  let rotated = 0
  let cursor = '0'
  do {
    const [next, found] = await redis.hscanBuffer(hash, cursor, 'COUNT', PAGE)
    cursor = String(next)
    const changes: (string | Buffer)[] = []
    for (let i = 0; i + 1 < found.length; i += 2) {
      const [field, envelope] = [String(found[i]), found[i + 1]]
      if (envelope === undefined || cipher.isCurrent(envelope)) continue
      const place = placeOf(sessionId, field)
      changes.push(field, envelope, cipher.encrypt(cipher.decrypt(envelope, place), place))
    }
    if (changes.length > 0) rotated += Number(await replace.run(redis, fence, [hash], changes))
  } while (cursor !== '0')
  return rotated
}
