import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

/**
 * Makes ciphers and HMACs of this process take a Buffer as key at the price of a KeyObject: Node 24 spends 10 us of 13 on
 * finding out that a Buffer is no KeyObject (it asks by a private field, which throws), and a text to two devices needs
 * thirty such calls, all of them in Baileys and libsignal. The results are the same; only the wrapping moves.
 */
export function wrapBufferKeys(): void {
  const { createCipheriv, createDecipheriv, createHmac } = crypto
  const wrapped = {
    createCipheriv: (...[algorithm, key, ...rest]: Parameters<typeof createCipheriv>) =>
      createCipheriv(algorithm, wrap(key), ...rest),
    createDecipheriv: (...[algorithm, key, ...rest]: Parameters<typeof createDecipheriv>) =>
      createDecipheriv(algorithm, wrap(key), ...rest),
    createHmac: (...[algorithm, key, ...rest]: Parameters<typeof createHmac>) =>
      createHmac(algorithm, wrap(key), ...rest),
  }
  Object.assign(crypto, wrapped)
  // ES modules that import these by name, such as Baileys', see them too.
  syncBuiltinESMExports()
}

function wrap<K>(key: K): K | crypto.KeyObject {
  return key instanceof Uint8Array ? crypto.createSecretKey(key) : key
}
