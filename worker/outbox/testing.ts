import { once } from 'node:events'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import type { WebhookEvent } from '../../shared/events.ts'
import { keys } from '../../shared/keys.ts'
import type { Clock, Fence } from '../types.ts'

/** A log for tests: silent. */
export const log = pino({ level: 'silent' })

/** A clock for tests: the system's, which can be put forward. */
export function testClock(): Clock & { add(ms: number): void } {
  let ahead = 0
  return {
    now: () => Date.now() + ahead,
    monotonic: () => performance.now() + ahead,
    add: ms => void (ahead += ms),
  }
}

/** A fence and the way to lose it. */
export interface TestFence extends Fence {
  /** What the owner does when it learns that the lease is lost. */
  abort(): void
}

/** A test file's client of its own Redis, and the leases in it. */
export function testRedis(server: { url: string; close(): Promise<void> }) {
  const redis = new Redis(server.url, { protocol: 2, maxRetriesPerRequest: null, retryStrategy: () => 50 })
  redis.on('error', () => {})
  let epoch = 0
  return {
    redis,
    url: server.url,
    /** Takes the partition's lease from whoever has it. */
    async claim(partition = 0): Promise<TestFence> {
      epoch++
      const token = `worker-${epoch}:${epoch}`
      const controller = new AbortController()
      await redis.set(keys.lease(partition), token)
      return { partition, epoch, token, signal: controller.signal, valid: () => true, abort: () => controller.abort() }
    },
    /** Ends the connection until `redis.connect()`. */
    async cut(): Promise<void> {
      const ended = once(redis, 'end')
      redis.disconnect()
      await ended
    },
    async close(): Promise<void> {
      redis.disconnect()
      await server.close()
    },
  }
}

/** A message event; `text` tells it from others. */
export function message(sessionId: string, text: string): WebhookEvent {
  const key = { remoteJid: '6281234567890@s.whatsapp.net', fromMe: false, id: `3EB0${text.length}` }
  const data = { messages: [{ key, message: { conversation: text }, pushName: 'Budi' }], type: 'notify' as const }
  return { event: 'messages.upsert', sessionId, timestamp: 1_703_839_200, data }
}
