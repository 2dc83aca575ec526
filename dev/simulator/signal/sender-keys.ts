import { randomBytes, randomInt } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'
import { generateKeyPair, sign, signalKey, verify, type KeyPair } from './curve.ts'
import { decryptCbc, derive, encryptCbc, stepChain } from './primitives.ts'

const VERSION = 0x33
const SIGNATURE_LENGTH = 64
const MAX_SKIP = 2000

/** What a `skmsg` says in clear. */
export type SenderKeyHeader = { readonly keyId: number; readonly iteration: number }

/** Reads the clear header of a `skmsg`. */
export function readSenderKeyHeader(ciphertext: Uint8Array): SenderKeyHeader {
  const message = proto.SenderKeyMessage.decode(ciphertext.subarray(1, -SIGNATURE_LENGTH))
  return { keyId: message.id ?? 0, iteration: message.iteration ?? 0 }
}

/** Receiving half of a sender key: one for all members, since all of them got the same distribution message. */
export type SenderKeyReceiver = { readonly keyId: number; decrypt(ciphertext: Uint8Array): Buffer }

/** Makes a receiver from the `axolotlSenderKeyDistributionMessage` of a member. */
export function receiverFrom(distribution: Uint8Array): SenderKeyReceiver {
  const start = proto.SenderKeyDistributionMessage.decode(distribution.subarray(1))
  const signingKey = start.signingKey ?? Buffer.alloc(0)
  const skipped = new Map<number, Buffer>()
  let key: Buffer = Buffer.from(start.chainKey ?? Buffer.alloc(0))
  let next = start.iteration ?? 0

  const take = (iteration: number): Buffer => {
    if (iteration < next) {
      const messageKey = skipped.get(iteration)
      if (!messageKey) throw new Error('sender key iteration used already')
      skipped.delete(iteration)
      return messageKey
    }
    if (iteration - next > MAX_SKIP) throw new Error('sender key iteration too far ahead')
    for (;;) {
      const { messageKey, nextKey } = stepChain(key)
      key = nextKey
      if (next++ === iteration) return messageKey
      skipped.set(next - 1, messageKey)
      for (const old of skipped.keys()) {
        if (skipped.size <= MAX_SKIP) break
        skipped.delete(old)
      }
    }
  }

  return {
    keyId: start.id ?? 0,
    decrypt(ciphertext) {
      const signed = ciphertext.subarray(0, -SIGNATURE_LENGTH)
      if (!verify(signingKey, signed, ciphertext.subarray(-SIGNATURE_LENGTH))) {
        throw new Error('sender key message has a bad signature')
      }
      const message = proto.SenderKeyMessage.decode(signed.subarray(1))
      const { iv, cipherKey } = messageKeys(take(message.iteration ?? 0))
      return decryptCbc(cipherKey, iv, message.ciphertext ?? Buffer.alloc(0))
    },
  }
}

/** Sending half of a member's key for one group. */
export type SenderKeySender = { distribution(): Buffer; encrypt(plaintext: Uint8Array): Buffer }

export function createSender(): SenderKeySender {
  const keyId = randomInt(1, 2 ** 31 - 1)
  const signing: KeyPair = generateKeyPair()
  let key: Buffer = randomBytes(32)
  let iteration = 0
  return {
    distribution() {
      const body = proto.SenderKeyDistributionMessage.encode({
        id: keyId,
        iteration,
        chainKey: key,
        signingKey: signalKey(signing.public),
      }).finish()
      return Buffer.concat([Buffer.of(VERSION), body])
    },
    encrypt(plaintext) {
      const { messageKey, nextKey } = stepChain(key)
      const { iv, cipherKey } = messageKeys(messageKey)
      const body = proto.SenderKeyMessage.encode({
        id: keyId,
        iteration,
        ciphertext: encryptCbc(cipherKey, iv, plaintext),
      }).finish()
      key = nextKey
      iteration++
      const signed = Buffer.concat([Buffer.of(VERSION), body])
      return Buffer.concat([signed, sign(signing, signed)])
    },
  }
}

function messageKeys(seed: Buffer): { iv: Buffer; cipherKey: Buffer } {
  const keys = derive(seed, 'WhisperGroup', 48)
  return { iv: keys.subarray(0, 16), cipherKey: keys.subarray(16, 48) }
}
