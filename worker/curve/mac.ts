import { timingSafeEqual } from 'node:crypto'
import sodium from 'sodium-native'

/** What `libsignal/src/crypto.js` exports of HMAC-SHA256 (libsignal 6.0.0). */
export interface SignalMacs {
  calculateMAC(key: Buffer, data: Buffer): Buffer
  /** HKDF (RFC 5869) with a salt of 32 bytes: the first `chunks` blocks of 32 bytes, 3 at most and by default. */
  deriveSecrets(input: Buffer, salt: Buffer, info: Buffer, chunks?: number): Buffer[]
  /** Throws unless `mac` is the first `length` bytes of the MAC. */
  verifyMAC(data: Buffer, key: Buffer, mac: Buffer, length: number): void
}

const BLOCK_BYTES = 64
const HASH_BYTES = 32
const [INNER, OUTER] = [0x36, 0x5c]

// Everything here is synchronous, so one piece of memory serves all calls.
const outer = Buffer.alloc(BLOCK_BYTES + HASH_BYTES)
const innerHash = outer.subarray(BLOCK_BYTES)
const scratch = Buffer.alloc(BLOCK_BYTES + 1024)

/**
 * Signal's MACs on libsodium. A text to two devices takes fifteen, nearly all over less than a block, and an `Hmac` of
 * Node.js costs several times what it computes: two native objects for each, which must be collected, too.
 */
export const nativeMacs: SignalMacs = {
  calculateMAC,

  deriveSecrets(input, salt, info, chunks = 3) {
    if (salt.length !== HASH_BYTES) throw new Error('a salt is 32 bytes')
    const key = calculateMAC(salt, input)
    const blocks: Buffer[] = []
    for (let i = 1; i <= chunks; i++) {
      blocks.push(calculateMAC(key, Buffer.concat([blocks.at(-1) ?? Buffer.alloc(0), info, Buffer.of(i)])))
    }
    return blocks
  },

  verifyMAC(data, key, mac, length) {
    if (mac.length !== length) throw new Error('Bad MAC length')
    if (!timingSafeEqual(calculateMAC(key, data).subarray(0, length), mac)) throw new Error('Bad MAC')
  },
}

function calculateMAC(key: Buffer, data: Buffer): Buffer {
  if (!Buffer.isBuffer(key) || !Buffer.isBuffer(data)) throw new Error('keys and data of a MAC are Buffers')
  const block = key.length > BLOCK_BYTES ? hash(key) : key
  const inner = BLOCK_BYTES + data.length <= scratch.length ? scratch : Buffer.alloc(BLOCK_BYTES + data.length)
  for (let i = 0; i < BLOCK_BYTES; i++) {
    const byte = block[i] ?? 0
    inner[i] = byte ^ INNER
    outer[i] = byte ^ OUTER
  }
  inner.set(data, BLOCK_BYTES)
  sodium.crypto_hash_sha256(innerHash, inner.subarray(0, BLOCK_BYTES + data.length))
  return hash(outer)
}

function hash(data: Buffer): Buffer {
  // A buffer of its own: secrets do not belong in the pool that small buffers share.
  const result = Buffer.alloc(HASH_BYTES)
  sodium.crypto_hash_sha256(result, data)
  return result
}
