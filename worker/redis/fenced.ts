import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { keys } from '../../shared/keys.ts'
import type { Fence } from '../types.ts'

/** The lease is no longer ours: another worker owns the partition, and nothing was written. */
export class FencedError extends Error {
  constructor(partition: number) {
    super(`the lease of partition ${partition} is lost`)
    this.name = 'FencedError'
  }
}

/** A Lua script that runs only while the lease is held. Inside, `KEYS` and `ARGV` are the caller's own. */
export interface FencedScript {
  /** Runs the script; replies are strings. Throws {@link FencedError}, or what Redis or the connection answers. */
  run(redis: Redis, fence: Fence, scriptKeys: readonly string[], args: readonly Argument[]): Promise<unknown>
}

/** What a script takes: text, numbers, or bytes as they are. */
export type Argument = string | number | Buffer

// The comparison stands in the same script as the write: a check made before the call could be stale by the time of it.
const GUARD = `
if redis.call('GET', table.remove(KEYS, 1)) ~= table.remove(ARGV, 1) then
  return redis.error_reply('FENCED the lease is lost')
end
`

/** Declares a fenced script. `lua` sees only its own keys and arguments. */
export function fencedScript(lua: string): FencedScript {
  const source = GUARD + lua
  const sha = createHash('sha1').update(source).digest('hex')
  return {
    async run(redis, fence, scriptKeys, args) {
      const all = [keys.lease(fence.partition), ...scriptKeys, fence.token, ...args]
      try {
        return await evaluate(redis, sha, source, scriptKeys.length + 1, all)
      } catch (error) {
        if (isReply(error, 'FENCED')) throw new FencedError(fence.partition)
        throw error
      }
    },
  }
}

/** A script that needs no lease, such as claiming one. */
export function plainScript(lua: string) {
  const sha = createHash('sha1').update(lua).digest('hex')
  return {
    run: async (redis: Redis, scriptKeys: readonly string[], args: readonly Argument[]): Promise<unknown> =>
      evaluate(redis, sha, lua, scriptKeys.length, [...scriptKeys, ...args]),
  }
}

async function evaluate(redis: Redis, sha: string, source: string, keyCount: number, all: Argument[]) {
  try {
    return await redis.evalsha(sha, keyCount, ...all)
  } catch (error) {
    // Redis forgets scripts on SCRIPT FLUSH and restart.
    if (!isReply(error, 'NOSCRIPT')) throw error
    return redis.eval(source, keyCount, ...all)
  }
}

function isReply(error: unknown, code: string): boolean {
  return error instanceof Error && error.message.startsWith(code)
}
