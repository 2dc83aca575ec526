import { createHash } from 'node:crypto'
import * as bridge from 'whatsapp-rust-bridge'
import { keepNewest } from '../../keep-newest.ts'
import { libsignal } from '../vendors.ts'

/**
 * What Baileys and libsignal use of `libsignal/src/curve.js` (libsignal 6.0.0). Public keys carry the type byte 5 in front.
 */
export interface SignalCurve {
  generateKeyPair(): { pubKey: Buffer; privKey: Buffer }
  calculateAgreement(publicKey: Buffer, privateKey: Buffer): Buffer
  calculateSignature(privateKey: Buffer, message: Uint8Array): Buffer
  verifySignature(publicKey: Buffer, message: Uint8Array, signature: Uint8Array, isInit?: boolean): boolean
}

const KEY_TYPE = Buffer.from([5])
const ZERO = Buffer.alloc(32)

/**
 * The curve operations of Signal by the library that Baileys brings for them and does not use everywhere. Unlike libsignal
 * 6 under Baileys 7.0.0-rc14 they refuse a bad signature: Baileys ignores the boolean that `verifySignature` answers, so a
 * bad one throws here, also where libsignal would not look (`isInit`). That makes prekey bundles, sender keys and WhatsApp's
 * certificate chain count for something. And a key of small order, with which everybody knows the secret, is refused.
 */
export const checkedCurve: SignalCurve = {
  generateKeyPair() {
    const { pubKey, privKey } = bridge.generateKeyPair()
    // Copied into the pool of small buffers: a linked session makes 812, and memory of its own for each is a megabyte.
    return { pubKey: Buffer.from(pubKey), privKey: buffer(privKey) }
  },
  calculateAgreement(publicKey, privateKey) {
    const secret = buffer(bridge.calculateAgreement(typed(publicKey), privateKey))
    if (secret.equals(ZERO)) throw new Error('a public key of small order')
    return secret
  },
  calculateSignature: (privateKey, message) => buffer(bridge.calculateSignature(privateKey, message)),
  verifySignature(publicKey, message, signature) {
    if (!isSignature(typed(publicKey), message, signature)) throw new Error('invalid signature')
    return true
  },
}

/**
 * Replaces libsignal's curve operations in this process. Must run before Baileys is imported: its ES modules bind libsignal's
 * functions when they load. The format of stored keys is the same either way.
 */
export function checkSignatures(): void {
  Object.assign(libsignal('libsignal/src/curve.js') as object, checkedCurve)
}

/**
 * Signatures that were found good lately, by a digest of all that was compared. Each login checks the two certificates of
 * WhatsApp, which are the same for all sessions, and a check takes a third of a millisecond: of a thousand sessions that
 * come back at once that is more than half a second of the event loop.
 */
const good = new Map<string, true>()
const MOST_GOOD = 16

/** The bridge throws for what is malformed, and answers false for what does not fit. */
function isSignature(publicKey: Buffer, message: Uint8Array, signature: Uint8Array): boolean {
  // The key and the signature have one length each, so that no two checks have the same text.
  const fixed = publicKey.length === 33 && signature.length === 64
  const name = fixed
    ? createHash('sha256').update(publicKey).update(signature).update(message).digest('base64')
    : undefined
  if (name !== undefined && good.has(name)) return true
  try {
    if (!bridge.verifySignature(publicKey, message, signature)) return false
  } catch {
    return false
  }
  if (name !== undefined) good.set(name, true)
  keepNewest(good, MOST_GOOD)
  return true
}

/** With its type byte: some callers leave it out. */
function typed(publicKey: Buffer): Buffer {
  return publicKey.length === 32 ? Buffer.concat([KEY_TYPE, publicKey]) : publicKey
}

function buffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}
