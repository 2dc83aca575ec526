import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { libsignal as load } from '../libsignal.ts'
import { nativeCurve, type SignalCurve } from './install.ts'

const libsignal = load('libsignal/src/curve.js') as SignalCurve
const both = [
  ['ours signs, libsignal verifies', nativeCurve, libsignal],
  ['libsignal signs, ours verifies', libsignal, nativeCurve],
  ['ours signs, ours verifies', nativeCurve, nativeCurve],
] as const

describe('the native curve', () => {
  test.each(both)('%s, for keys of both signs and messages of any length', (_, signer, verifier) => {
    for (const length of [1, 33, 64, 1000]) {
      const pair = signer.generateKeyPair()
      const message = randomBytes(length)
      const signature = signer.calculateSignature(pair.privKey, message)
      expect(verifier.verifySignature(pair.pubKey, message, signature)).toBe(true)
    }
  })

  test('a changed message, signature or key throws', () => {
    const [pair, other] = [nativeCurve.generateKeyPair(), nativeCurve.generateKeyPair()]
    const message = randomBytes(40)
    const signature = nativeCurve.calculateSignature(pair.privKey, message)
    for (let bit = 0; bit < 512; bit += 37) {
      const forged = Buffer.from(signature)
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => nativeCurve.verifySignature(pair.pubKey, message, forged)).toThrow('invalid signature')
    }
    expect(() => nativeCurve.verifySignature(pair.pubKey, randomBytes(40), signature)).toThrow('invalid signature')
    expect(() => nativeCurve.verifySignature(other.pubKey, message, signature, true)).toThrow('invalid signature')
    expect(() => nativeCurve.verifySignature(pair.pubKey, message, randomBytes(64))).toThrow('invalid signature')
  })

  test('agreements and public keys are those of libsignal', () => {
    const [ours, theirs] = [nativeCurve.generateKeyPair(), libsignal.generateKeyPair()]
    const agreement = nativeCurve.calculateAgreement(theirs.pubKey, ours.privKey)
    expect(agreement).toEqual(libsignal.calculateAgreement(theirs.pubKey, ours.privKey))
    expect(agreement).toEqual(libsignal.calculateAgreement(ours.pubKey, theirs.privKey))
    expect(nativeCurve.getPublicFromPrivateKey(theirs.privKey)).toEqual(theirs.pubKey)
  })

  test('a public key of small order is refused', () => {
    const pair = nativeCurve.generateKeyPair()
    expect(() => nativeCurve.calculateAgreement(Buffer.alloc(32), pair.privKey)).toThrow('status: -1')
    expect(() => nativeCurve.verifySignature(Buffer.alloc(32), randomBytes(8), randomBytes(64))).toThrow(
      'invalid signature',
    )
  })
})
