import { createHash, randomBytes } from 'node:crypto'
import sodium from 'sodium-native'
import { edwardsY, multiplyScalars } from './field.ts'

/**
 * XEdDSA (signal.org/docs/specifications/xeddsa, revision 1) on libsodium, with the sign bit of the Edwards key carried
 * in the top bit of the signature, as libsignal and WhatsApp write it. Keys are raw 32-byte X25519 keys.
 */

const SIGN_BIT = 0x80
// hash_1 of the specification: 2^256 - 2 in little-endian stands before the input, so that it never meets a plain hash.
const HASH_1_PREFIX = Buffer.concat([Buffer.from([0xfe]), Buffer.alloc(31, 0xff)])

/** Signs a message with an X25519 private key. 64 bytes; another signature each time. */
export function signXeddsa(privateKey: Buffer, message: Buffer): Buffer {
  const secret = reduce(clamp(privateKey))
  const publicKey = Buffer.alloc(32)
  sodium.crypto_scalarmult_ed25519_base_noclamp(publicKey, secret)
  const nonce = reduceHash(HASH_1_PREFIX, secret, message, randomBytes(64))
  const commitment = Buffer.alloc(32)
  sodium.crypto_scalarmult_ed25519_base_noclamp(commitment, nonce)
  const challenge = reduceHash(commitment, publicKey, message)
  const response = Buffer.alloc(32)
  sodium.crypto_core_ed25519_scalar_add(response, nonce, multiplySecret(challenge, secret))
  const signature = Buffer.concat([commitment, response])
  signature[63] = byteAt(signature, 63) | (byteAt(publicKey, 31) & SIGN_BIT)
  return signature
}

/** Whether the signature is of this message under this X25519 public key. */
export function verifyXeddsa(publicKey: Buffer, message: Buffer, signature: Buffer): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  const edwards = edwardsY(publicKey)
  if (edwards === undefined) return false
  edwards[31] = byteAt(edwards, 31) | (byteAt(signature, 63) & SIGN_BIT)
  const plain = Buffer.from(signature)
  plain[63] = byteAt(plain, 63) & ~SIGN_BIT
  return sodium.crypto_sign_verify_detached(plain, message, edwards)
}

/**
 * challenge * secret. libsodium's binding has no scalar product, and BigInt's is not constant in time; the secret is
 * therefore split into two random shares, so that no duration depends on it.
 */
function multiplySecret(challenge: Buffer, secret: Buffer): Buffer {
  const [share, rest, product] = [Buffer.alloc(32), Buffer.alloc(32), Buffer.alloc(32)]
  sodium.crypto_core_ed25519_scalar_random(share)
  sodium.crypto_core_ed25519_scalar_sub(rest, secret, share)
  sodium.crypto_core_ed25519_scalar_add(product, multiplyScalars(challenge, share), multiplyScalars(challenge, rest))
  return product
}

function clamp(privateKey: Buffer): Buffer {
  const scalar = Buffer.from(privateKey)
  scalar[0] = byteAt(scalar, 0) & 0xf8
  scalar[31] = (byteAt(scalar, 31) & 0x7f) | 0x40
  return scalar
}

function reduce(scalar: Buffer): Buffer {
  const reduced = Buffer.alloc(32)
  sodium.crypto_core_ed25519_scalar_reduce(reduced, Buffer.concat([scalar, Buffer.alloc(32)]))
  return reduced
}

function reduceHash(...parts: Buffer[]): Buffer {
  const hash = createHash('sha512')
  for (const part of parts) hash.update(part)
  const reduced = Buffer.alloc(32)
  sodium.crypto_core_ed25519_scalar_reduce(reduced, hash.digest())
  return reduced
}

function byteAt(bytes: Buffer, index: number): number {
  return bytes[index] ?? 0
}
