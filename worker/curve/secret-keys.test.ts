import { createRequire } from 'node:module'
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { nativeCrypto, type SignalCrypto } from './secret-keys.ts'

const libsignal = createRequire(import.meta.resolve('@whiskeysockets/baileys'))(
  'libsignal/src/crypto.js',
) as SignalCrypto
const [key, iv, salt] = [randomBytes(32), randomBytes(16), randomBytes(32)]

test.each([0, 1, 16, 1000])('ciphers, MACs and hashes of %i bytes are those of libsignal', length => {
  const data = randomBytes(length)
  const sealed = nativeCrypto.encrypt(key, data, iv)
  expect(sealed).toEqual(libsignal.encrypt(key, data, iv))
  expect(nativeCrypto.decrypt(key, sealed, iv)).toEqual(data)
  expect(nativeCrypto.calculateMAC(key, data)).toEqual(libsignal.calculateMAC(key, data))
  expect(nativeCrypto.hash(data)).toEqual(libsignal.hash(data))
})

test.each([1, 2, 3, undefined])('derived secrets of %s blocks are those of libsignal', chunks => {
  const [input, info] = [randomBytes(96), Buffer.from('WhisperText')]
  const derived = nativeCrypto.deriveSecrets(input, salt, info, chunks)
  expect(derived).toEqual(libsignal.deriveSecrets(input, salt, info, chunks))
})

test('a damaged ciphertext and a short salt throw', () => {
  expect(() => nativeCrypto.decrypt(key, randomBytes(15), iv)).toThrow(/wrong final block length/)
  expect(() => nativeCrypto.deriveSecrets(key, randomBytes(31), iv)).toThrow('a salt is 32 bytes')
})
