import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { Fence } from '../ownership/fence.ts'
import type { Cipher, Place } from './cipher.ts'
import type { Known } from './read-cache.ts'

/** What the hash of a session is reached by. */
export interface HashDeps {
  redis: Redis
  log: Logger
  fence: Fence
  cipher: Cipher
}

/** A value as the codec writes it, and where it belongs. `null` removes it. */
export interface Entry {
  place: Place
  value: Known
}
