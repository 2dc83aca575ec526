import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { libsignal as load } from '../libsignal.ts'
import { nativeMacs, type SignalMacs } from './mac.ts'

const libsignal = load('libsignal/src/crypto.js') as SignalMacs

describe('the native MACs', () => {
  test('are those of libsignal, for keys and data around every border', () => {
    const lengths = [0, 1, 32, 63, 64, 65, 200, 1023, 1024, 1025, 5000]
    for (const key of lengths.map(length => randomBytes(length))) {
      for (const data of lengths.map(length => randomBytes(length))) {
        expect(nativeMacs.calculateMAC(key, data)).toEqual(libsignal.calculateMAC(key, data))
      }
    }
  })

  test('a MAC is its caller’s own', () => {
    const [key, data] = [randomBytes(32), randomBytes(8)]
    const first = nativeMacs.calculateMAC(key, data)
    const copy = Buffer.from(first)
    nativeMacs.calculateMAC(randomBytes(32), data)
    expect(first).toEqual(copy)
  })

  test.each([1, 2, 3, undefined])('derives the secrets of libsignal, %s chunks', chunks => {
    const [input, salt, info] = [randomBytes(32), randomBytes(32), Buffer.from('WhisperRatchet')]
    const secrets = nativeMacs.deriveSecrets(input, salt, info, chunks)
    expect(secrets).toEqual(libsignal.deriveSecrets(input, salt, info, chunks))
    expect(secrets).toHaveLength(chunks ?? 3)
  })

  test('refuses a salt of another length', () => {
    expect(() => nativeMacs.deriveSecrets(randomBytes(32), randomBytes(31), randomBytes(8))).toThrow('32 bytes')
  })

  test('a MAC that is right passes; one that is not, or of another length, throws', () => {
    const [key, data] = [randomBytes(32), randomBytes(100)]
    const mac = libsignal.calculateMAC(key, data).subarray(0, 8)
    expect(() => nativeMacs.verifyMAC(data, key, mac, 8)).not.toThrow()
    for (let byte = 0; byte < 8; byte++) {
      const forged = Buffer.from(mac)
      forged[byte] = (forged[byte] ?? 0) ^ 1
      expect(() => nativeMacs.verifyMAC(data, key, forged, 8)).toThrow('Bad MAC')
    }
    expect(() => nativeMacs.verifyMAC(data, key, mac.subarray(1), 8)).toThrow('length')
    expect(() => nativeMacs.verifyMAC(data, key, Buffer.alloc(0), 8)).toThrow('length')
  })
})
