import { keys } from '../../../shared/keys.ts'
import type { Core } from '../../core.ts'
import { UnreadableError, type Cipher } from '../../credentials/cipher.ts'
import type { Fence } from '../../ownership/fence.ts'
import { fencedScript } from '../../redis/fenced.ts'
import { persist } from '../../redis/persist.ts'
import { readBytes } from '../../redis/reads.ts'

/** What a message brought along, with which later changes of it are encrypted. */
export interface Secret {
  /** 32 bytes. */
  secret: Uint8Array
  /** The names of who wrote it, number and LID; none when it was we. */
  authors: string[]
  /** Of a poll: the names of its options. */
  options?: string[]
}

/** Of what the secret is: polls that we sent, polls of others, messages of others. */
export type Kind = 'ours' | 'polls' | 'messages'

/** Secrets of messages by their ids, encrypted in Redis. One for all sessions. */
export interface SecretStore {
  /** Keeps the secret unless there is one under the id. Throws `FencedError`. */
  keep(fence: Fence, sessionId: string, messageId: string, secret: Secret, kind: Kind): Promise<void>
  /** Throws `FencedError`. */
  find(fence: Fence, sessionId: string, messageId: string): Promise<Secret | undefined>
}

const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS

/**
 * How long secrets are kept, and in how many bytes a session: one of a message has 200, one of a poll about 500. People may edit for
 * 15 minutes; a poll is open for as long as its chat is read. Each kind has a bound of its own, since strangers must not
 * push out what belongs to ours, nor their polls the messages.
 */
const LIMITS: Readonly<Record<Kind, Limits>> = {
  ours: { ms: 30 * DAY_MS, bytes: 4 * 1024 * 1024 },
  polls: { ms: 7 * DAY_MS, bytes: 512 * 1024 },
  messages: { ms: HOUR_MS, bytes: 1024 * 1024 },
}
const KINDS = Object.keys(LIMITS) as Kind[]

interface Limits {
  ms: number
  bytes: number
}

/** Larger ones are not kept: a stranger chooses the names of a poll's options. */
const LARGEST = 16 * 1024
/** Most secrets removed in one call, so that a lowered bound never holds Redis up. */
const TRIM = 100

// KEYS secrets, times; ARGV id, value, now, kept ms, bytes, trim. The field without a name counts the bytes.
const KEEP = fencedScript(`
local id, value, now, kept = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if redis.call('HSETNX', KEYS[1], id, value) == 0 then return 0 end
local bytes = redis.call('HINCRBY', KEYS[1], '', #value)
redis.call('ZADD', KEYS[2], now, id)
local first = redis.call('ZRANGE', KEYS[2], 0, tonumber(ARGV[6]) - 1, 'WITHSCORES')
for i = 1, #first, 2 do
  if tonumber(first[i + 1]) > now - kept and bytes <= tonumber(ARGV[5]) then break end
  bytes = redis.call('HINCRBY', KEYS[1], '', -redis.call('HSTRLEN', KEYS[1], first[i]))
  redis.call('HDEL', KEYS[1], first[i])
  redis.call('ZREM', KEYS[2], first[i])
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1
`)

/** The Redis keys of a session's secrets. */
export function secretKeys(sessionId: string): string[] {
  return KINDS.flatMap(kind => at(sessionId, kind))
}

/** Keeps secrets in Redis. See {@link SecretStore}. */
export function createSecretStore({ redis, clock, log }: Core, cipher: Cipher, limits = LIMITS): SecretStore {
  return {
    async keep(fence, sessionId, messageId, secret, kind) {
      if (messageId === '') return
      const value = cipher.encrypt(pack(secret), place(sessionId, messageId))
      if (value.length > LARGEST) return
      const { ms, bytes } = limits[kind]
      const args = [messageId, value, clock.now(), ms, bytes, TRIM]
      await persist(async () => KEEP.run(redis, fence, at(sessionId, kind), args), fence, log)
    },
    async find(fence, sessionId, messageId) {
      if (messageId === '') return undefined
      const found = KINDS.map(async kind => readBytes(redis, fence, keys.secrets(sessionId, kind), [messageId]))
      const envelope = (await Promise.all(found)).flat().find(value => value !== null)
      if (!envelope) return undefined
      try {
        return unpack(cipher.decrypt(envelope, place(sessionId, messageId)))
      } catch (error) {
        // Kept under a key that is gone.
        if (!(error instanceof UnreadableError)) throw error
        return undefined
      }
    },
  }
}

function at(sessionId: string, kind: Kind): string[] {
  return [keys.secrets(sessionId, kind), keys.secretTimes(sessionId, kind)]
}

function place(sessionId: string, id: string) {
  return { sessionId, type: 'message-secret', id }
}

function pack({ secret, authors, options }: Secret): Buffer {
  return Buffer.from(JSON.stringify([Buffer.from(secret).toString('base64'), authors, options]))
}

function unpack(bytes: Buffer): Secret {
  const [secret, authors, options] = JSON.parse(bytes.toString()) as [string, string[], string[] | null]
  return { secret: Buffer.from(secret, 'base64'), authors, ...(options && { options }) }
}
