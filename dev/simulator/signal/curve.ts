import { createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { calculateSignature, verifySignature } from 'whatsapp-rust-bridge'

/** An X25519 key pair: `public` is the raw 32 bytes. */
export type KeyPair = { readonly public: Buffer; readonly private: KeyObject }

const SPKI_HEADER = 12
const PKCS8_HEADER = 16

/** A fresh key pair. The private half stays a KeyObject: importing raw bytes for each agreement costs twice as much. */
export function generateKeyPair(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('x25519')
  return { public: publicKey.export({ format: 'der', type: 'spki' }).subarray(SPKI_HEADER), private: privateKey }
}

/** X25519 with a raw (32 bytes) or prefixed (05 + 32 bytes) public key. OpenSSL refuses an all-zero result. */
export function agree(own: KeyPair, theirPublic: Uint8Array): Buffer {
  const publicKey = createPublicKey({
    key: { kty: 'OKP', crv: 'X25519', x: Buffer.from(rawKey(theirPublic)).toString('base64url') },
    format: 'jwk',
  })
  return diffieHellman({ privateKey: own.private, publicKey })
}

/** XEdDSA signature, 64 bytes. */
export function sign(own: KeyPair, message: Uint8Array): Buffer {
  const raw = own.private.export({ format: 'der', type: 'pkcs8' }).subarray(PKCS8_HEADER)
  return Buffer.from(calculateSignature(raw, message))
}

/** True when `signature` is the XEdDSA signature of `message` under `publicKey`; false for anything malformed. */
export function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verifySignature(signalKey(publicKey), message, signature)
  } catch {
    return false
  }
}

/** The 33-byte form that Signal puts into its messages. */
export function signalKey(key: Uint8Array): Buffer {
  return key.length === 33 ? Buffer.from(key) : Buffer.concat([Buffer.of(5), key])
}

/** The raw 32 bytes of either form. */
export function rawKey(key: Uint8Array): Uint8Array {
  const raw = key.length === 33 && key[0] === 5 ? key.subarray(1) : key
  if (raw.length !== 32) throw new Error('public key is not 32 bytes')
  return raw
}
