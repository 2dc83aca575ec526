import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'

/** What a script takes: text, numbers, or bytes as they are. */
export type Argument = string | number | Buffer

/** A Lua script. */
export interface Script {
  /**
   * Runs it by its hash, and by its text when Redis has forgotten it (SCRIPT FLUSH, a restart). Replies are strings.
   * Rejects with what Redis or the connection answers.
   */
  run(redis: Redis, keys: readonly string[], args: readonly Argument[]): Promise<unknown>
  /** The same; replies are bytes as they are stored. */
  runForBytes(redis: Redis, keys: readonly string[], args: readonly Argument[]): Promise<unknown>
}

/** Declares a script that needs no lease, such as claiming one. */
export function plainScript(lua: string): Script {
  const sha = createHash('sha1').update(lua).digest('hex')
  async function known(byHash: () => Promise<unknown>, byText: () => Promise<unknown>): Promise<unknown> {
    try {
      return await byHash()
    } catch (error) {
      if (!isReply(error, 'NOSCRIPT')) throw error
      return byText()
    }
  }
  return {
    run: async (redis, keys, args) =>
      known(
        async () => redis.evalsha(sha, keys.length, ...keys, ...args),
        async () => redis.eval(lua, keys.length, ...keys, ...args),
      ),
    runForBytes: async (redis, keys, args) =>
      known(
        async () => redis.callBuffer('EVALSHA', sha, keys.length, ...keys, ...args),
        async () => redis.callBuffer('EVAL', lua, keys.length, ...keys, ...args),
      ),
  }
}

/** Whether an error is Redis' own answer and begins with this code. */
export function isReply(error: unknown, code: string): boolean {
  return error instanceof Error && error.message.startsWith(code)
}
