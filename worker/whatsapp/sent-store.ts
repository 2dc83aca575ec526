import type { proto } from '@whiskeysockets/baileys'
import { keys } from '../../shared/keys.ts'
import { UnreadableError, type Cipher } from '../credentials/cipher.ts'
import { fencedScript } from '../redis/fenced.ts'
import { persist } from '../redis/persist.ts'
import { readBytes } from '../redis/reads.ts'
import type { Core } from '../core.ts'
import type { Fence } from '../ownership/fence.ts'
import { packKept, unpackKept, type Audience, type Kept } from './audience.ts'

/** Sent messages, kept (encrypted) for recipients that cannot decrypt and ask again. One for all sessions. */
export interface SentStore {
  /**
   * Keeps the message under its id unless one is there, and resolves with the one that is kept: a job that runs again
   * sends what it sent before, with the same media keys and poll secret. Without an audience nobody is ever sent it.
   * Throws `FencedError`.
   */
  keep(
    fence: Fence,
    sessionId: string,
    messageId: string,
    message: proto.IMessage,
    audience?: Audience,
  ): Promise<proto.IMessage>
  /** What is kept under the id. Throws `FencedError`. */
  get(fence: Fence, sessionId: string, messageId: string): Promise<Kept | undefined>
  /** Forgets a message that was never sent. Throws `FencedError`. */
  forget(fence: Fence, sessionId: string, messageId: string): Promise<void>
}

/** How much of what was sent is kept. */
export interface SentLimits {
  /** Messages a session. */
  count: number
  /** ms. Recipients that were away ask for a retry when they come back. */
  ageMs: number
}

/** A text takes about 300 bytes, so this is about 0.6 MB for a session that sends all day. */
export const SENT_LIMITS: SentLimits = { count: 2000, ageMs: 7 * 24 * 60 * 60 * 1000 }

/** Most messages removed in one call, so that a lowered limit never holds Redis up. */
const TRIM = 100

// KEYS sent, sent-times; ARGV id, value, now, age in ms, count, trim. Replies 0 when the id was kept before.
const KEEP = fencedScript(`
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then
  return 0
end
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
local last = tonumber(ARGV[6]) - 1
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', tonumber(ARGV[3]) - tonumber(ARGV[4]), 'LIMIT', 0, last + 1)
local over = redis.call('ZCARD', KEYS[2]) - #old - tonumber(ARGV[5])
if #old == 0 and over > 0 then
  old = redis.call('ZRANGE', KEYS[2], 0, math.min(over - 1, last))
end
if #old > 0 then
  redis.call('HDEL', KEYS[1], unpack(old))
  redis.call('ZREM', KEYS[2], unpack(old))
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1
`)

// KEYS sent, sent-times; ARGV id.
const FORGET = fencedScript(`
redis.call('HDEL', KEYS[1], ARGV[1])
return redis.call('ZREM', KEYS[2], ARGV[1])
`)

/** Keeps sent messages in Redis, encrypted, bounded by count and age a session. See {@link SentStore}. */
export function createSentStore(core: Core, cipher: Cipher, limits: SentLimits = SENT_LIMITS): SentStore {
  const { redis, clock, log } = core

  const get: SentStore['get'] = async (fence, sessionId, messageId) => {
    const [envelope] = await readBytes(redis, fence, keys.sent(sessionId), [messageId])
    if (!envelope) return undefined
    try {
      return unpackKept(cipher.decrypt(envelope, place(sessionId, messageId)))
    } catch (error) {
      // Kept under a key that is gone: the recipient that asks for it gets nothing, the session goes on.
      if (!(error instanceof UnreadableError)) throw error
      log.warn({ sessionId, messageId }, 'a sent message cannot be read')
      return undefined
    }
  }

  return {
    get,
    async forget(fence, sessionId, messageId) {
      const at = [keys.sent(sessionId), keys.sentTimes(sessionId)]
      await persist(async () => FORGET.run(redis, fence, at, [messageId]), fence, log)
    },
    async keep(fence, sessionId, messageId, message, audience) {
      const value = cipher.encrypt(packKept(message, audience), place(sessionId, messageId))
      const at = [keys.sent(sessionId), keys.sentTimes(sessionId)]
      const args = [messageId, value, clock.now(), limits.ageMs, limits.count, TRIM]
      // An outage of Redis is no failure of the job, which would lose its place by it.
      const kept = await persist(async () => KEEP.run(redis, fence, at, args), fence, log)
      if (kept === 1) return message
      return (await get(fence, sessionId, messageId))?.message ?? message
    },
  }
}

function place(sessionId: string, messageId: string) {
  return { sessionId, type: 'sent-to', id: messageId }
}
