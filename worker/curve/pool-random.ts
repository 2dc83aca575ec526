import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

const POOL_BYTES = 4096
/** Larger ones cost more than the way to the generator. */
const LARGEST = 64

/**
 * Gives small random bytes of this process out of a pool that the generator fills at once, as Node.js does for UUIDs:
 * each way to OpenSSL's generator costs a system call (it looks for a fork), and a text to two devices takes seven, for
 * paddings and nonces. Bytes are given out once and wiped from the pool.
 */
export function poolRandomBytes(): void {
  const { randomBytes } = crypto
  const pool = Buffer.alloc(POOL_BYTES)
  let next = POOL_BYTES

  function take(size: number): Buffer {
    if (next + size > POOL_BYTES) {
      crypto.randomFillSync(pool)
      next = 0
    }
    const bytes = Buffer.alloc(size)
    pool.copy(bytes, 0, next, next + size)
    pool.fill(0, next, next + size)
    next += size
    return bytes
  }

  const isSmall = (size: unknown) => Number.isInteger(size) && Number(size) > 0 && Number(size) <= LARGEST
  const pooled = (size: number, callback?: (error: Error | null, bytes: Buffer) => void) =>
    callback === undefined && isSmall(size) ? take(size) : randomBytes(size, callback as () => void)
  Object.assign(crypto, { randomBytes: pooled })
  // ES modules that import it by name, such as Baileys', see it too.
  syncBuiltinESMExports()
}
