import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { libsignal as load } from '../vendors.ts'
import { checkedCurve, type SignalCurve } from './signatures.ts'

const libsignal = load('libsignal/src/curve.js') as SignalCurve
const both = [
  ['ours signs, libsignal verifies', checkedCurve, libsignal],
  ['libsignal signs, ours verifies', libsignal, checkedCurve],
  ['ours signs, ours verifies', checkedCurve, checkedCurve],
] as const

describe('the curve', () => {
  test.each(both)('%s, for keys of both signs and messages of any length', (_, signer, verifier) => {
    for (const length of [1, 33, 64, 1000]) {
      const pair = signer.generateKeyPair()
      const message = randomBytes(length)
      const signature = signer.calculateSignature(pair.privKey, message)
      expect(verifier.verifySignature(pair.pubKey, message, signature)).toBe(true)
    }
  })

  test('a changed message, signature or key throws', () => {
    const [pair, other] = [checkedCurve.generateKeyPair(), checkedCurve.generateKeyPair()]
    const message = randomBytes(40)
    const signature = checkedCurve.calculateSignature(pair.privKey, message)
    // What was found good is remembered, and must not make anything else good.
    expect(checkedCurve.verifySignature(pair.pubKey, message, signature)).toBe(true)
    for (let bit = 0; bit < 512; bit += 37) {
      const forged = Buffer.from(signature)
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => checkedCurve.verifySignature(pair.pubKey, message, forged)).toThrow('invalid signature')
    }
    expect(() => checkedCurve.verifySignature(pair.pubKey, randomBytes(40), signature)).toThrow('invalid signature')
    expect(() => checkedCurve.verifySignature(other.pubKey, message, signature, true)).toThrow('invalid signature')
    expect(() => checkedCurve.verifySignature(pair.pubKey, message, randomBytes(64))).toThrow('invalid signature')
  })

  test('agreements are those of libsignal, for private keys of both', () => {
    const [ours, theirs] = [checkedCurve.generateKeyPair(), libsignal.generateKeyPair()]
    const agreement = checkedCurve.calculateAgreement(theirs.pubKey, ours.privKey)
    expect(agreement).toEqual(libsignal.calculateAgreement(theirs.pubKey, ours.privKey))
    expect(agreement).toEqual(libsignal.calculateAgreement(ours.pubKey, theirs.privKey))
    expect(checkedCurve.calculateAgreement(ours.pubKey, theirs.privKey)).toEqual(agreement)
  })

  test('a public key of small order is refused', () => {
    const pair = checkedCurve.generateKeyPair()
    expect(() => checkedCurve.calculateAgreement(Buffer.alloc(32), pair.privKey)).toThrow('small order')
    expect(() => checkedCurve.verifySignature(Buffer.alloc(32), randomBytes(8), randomBytes(64))).toThrow(
      'invalid signature',
    )
  })
})
