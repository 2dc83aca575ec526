import { createRequire } from 'node:module'

const fromBaileys = createRequire(import.meta.resolve('@whiskeysockets/baileys'))

/**
 * A module of the libsignal that Baileys uses, to change in this whole process, such as `libsignal/src/curve.js`. It does
 * not load Baileys. The caller says what is in it, since the package has no types of its insides.
 */
export function libsignal(path = 'libsignal'): unknown {
  return fromBaileys(path)
}
