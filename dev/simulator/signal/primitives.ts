import { createCipheriv, createDecipheriv, createHash, createHmac, createSecretKey, timingSafeEqual } from 'node:crypto'

const ZERO_SALT = Buffer.alloc(32)

// Node 24 spends 15 µs more on each hmac or cipher whose key is a Buffer: keys are made KeyObjects first.

export function hmac(key: Uint8Array, ...parts: Uint8Array[]): Buffer {
  const mac = createHmac('sha256', createSecretKey(key))
  for (const part of parts) mac.update(part)
  return mac.digest()
}

/** HKDF-SHA256 as Signal uses it (RFC 5869, salt of 32 zero bytes unless given). */
export function derive(secret: Uint8Array, info: string, length: number, salt: Uint8Array = ZERO_SALT): Buffer {
  const key = createSecretKey(hmac(salt, secret))
  const blocks: Buffer[] = []
  let block: Buffer = Buffer.alloc(0)
  for (let made = 0, counter = 1; made < length; made += block.length, counter++) {
    block = createHmac('sha256', key).update(block).update(info).update(Buffer.of(counter)).digest()
    blocks.push(block)
  }
  return Buffer.concat(blocks).subarray(0, length)
}

/** The message key and the next key of a Signal chain. */
export function stepChain(key: Uint8Array): { messageKey: Buffer; nextKey: Buffer } {
  return { messageKey: hmac(key, Buffer.of(1)), nextKey: hmac(key, Buffer.of(2)) }
}

export function encryptCbc(key: Uint8Array, iv: Uint8Array, plaintext: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-cbc', createSecretKey(key), iv)
  return Buffer.concat([cipher.update(plaintext), cipher.final()])
}

export function decryptCbc(key: Uint8Array, iv: Uint8Array, ciphertext: Uint8Array): Buffer {
  const decipher = createDecipheriv('aes-256-cbc', createSecretKey(key), iv)
  return Buffer.concat([decipher.update(ciphertext), decipher.final()])
}

export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right)
}

/** 16 hex digits that stand for a public value (ratchet key, ciphertext) in records. */
export function fingerprint(value: Uint8Array): string {
  return createHash('sha256').update(value).digest('hex').slice(0, 16)
}
