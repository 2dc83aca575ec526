import { createCipheriv, createDecipheriv, createHash, createSecretKey, randomBytes, type KeyObject } from 'node:crypto'

/** Encrypts what WhatsApp would trust us by. */
export interface Cipher {
  /** Encrypts under the first key. `place` is bound to the value: it decrypts nowhere else. */
  encrypt(plain: Uint8Array, place: Place): Buffer
  /** Throws {@link UnreadableError} for anything that was not encrypted for this place under a known key. */
  decrypt(envelope: Uint8Array, place: Place): Buffer
  /** Whether the value is under the first key, by the key id that it names. */
  isCurrent(envelope: Uint8Array): boolean
  /** Whether more than one key is given. */
  rotating: boolean
}

/** Where a value lives. Copied to another session, type or id, it is refused. */
export interface Place {
  sessionId: string
  type: string
  id: string
}

/** A value that cannot be read: an unknown key, another place, or damage. It never means that the value may go. */
export class UnreadableError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UnreadableError'
  }
}

/** A key that is not 32 bytes of base64. The message never contains the key. */
export class CipherKeyError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CipherKeyError'
  }
}

// The envelope: version (1 byte), key id (4), nonce (12), ciphertext, tag (16).
// Version 1 was bound to ids as they are, later ones to their digests: a Kurir of then must not take these for none.
const VERSION = 2
const READABLE = new Set<number | undefined>([1, VERSION])
const KEY_BYTES = 32
const KEY_ID_BYTES = 4
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HEAD_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES

/**
 * A cipher over base64 keys of 32 bytes each. The first encrypts and all decrypt: put a new key first to rotate, and
 * drop the old one when every value has been written anew. Throws {@link CipherKeyError}.
 */
export function createCipher(base64Keys: readonly string[]): Cipher {
  const ring = base64Keys.map(importKey)
  const [first] = ring
  if (first === undefined) throw new CipherKeyError('at least one key is needed')
  const byId = new Map(ring.map(key => [key.id.toString('hex'), key]))

  return {
    rotating: ring.length > 1,

    isCurrent: envelope => first.id.equals(envelope.subarray(1, 1 + KEY_ID_BYTES)),

    encrypt(plain, place) {
      const nonce = randomBytes(NONCE_BYTES)
      const head = Buffer.concat([Buffer.of(VERSION), first.id, nonce])
      const cipher = createCipheriv('aes-256-gcm', first.secret, nonce).setAAD(associated(head, place))
      return Buffer.concat([head, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
    },

    decrypt(envelope, place) {
      const bytes = Buffer.from(envelope.buffer, envelope.byteOffset, envelope.byteLength)
      if (bytes.length < HEAD_BYTES + TAG_BYTES || !READABLE.has(bytes[0])) throw new UnreadableError('unknown format')
      const key = byId.get(bytes.toString('hex', 1, 1 + KEY_ID_BYTES))
      if (key === undefined) throw new UnreadableError('encrypted under a key that is not given')
      const head = bytes.subarray(0, HEAD_BYTES)
      const tag = bytes.subarray(bytes.length - TAG_BYTES)
      const decipher = createDecipheriv('aes-256-gcm', key.secret, head.subarray(1 + KEY_ID_BYTES), {
        authTagLength: TAG_BYTES,
      })
      decipher.setAAD(associated(head, place)).setAuthTag(tag)
      try {
        return Buffer.concat([decipher.update(bytes.subarray(HEAD_BYTES, -TAG_BYTES)), decipher.final()])
      } catch {
        throw new UnreadableError('damaged, or encrypted for another place')
      }
    },
  }
}

// Session ids and types hold no `|`, so the three parts cannot be shifted against each other; ids come last.
function associated(head: Buffer, { sessionId, type, id }: Place): Buffer {
  return Buffer.concat([head.subarray(0, 1 + KEY_ID_BYTES), Buffer.from(`${sessionId}|${type}|${id}`)])
}

function importKey(base64: string): { id: Buffer; secret: KeyObject } {
  const secret = Buffer.from(base64, 'base64')
  if (secret.length !== KEY_BYTES || secret.toString('base64') !== base64) {
    throw new CipherKeyError(`a key is ${KEY_BYTES} bytes in base64`)
  }
  // The id tells keys apart and tells nothing about the key: it is cut from a hash of its own domain.
  const id = createHash('sha256').update('kurir credentials key id').update(secret).digest().subarray(0, KEY_ID_BYTES)
  return { id, secret: createSecretKey(secret) }
}
