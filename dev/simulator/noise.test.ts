import { proto } from '@whiskeysockets/baileys'
import { expect, it } from 'vitest'
import { createNoiseIdentity } from './noise.ts'
import { generateKeyPair, verify } from './signal/curve.ts'

/** Baileys' own check accepts any signature, so the chain is checked here as a client should. */
it('signs a chain from the root to the static key', () => {
  const identity = createNoiseIdentity()
  const { intermediate, leaf } = proto.CertChain.decode(identity.certChain)
  const read = (bytes: Uint8Array | null | undefined) =>
    proto.CertChain.NoiseCertificate.Details.decode(bytes ?? Buffer.alloc(0))
  const issuer = read(intermediate?.details)
  expect(issuer.issuerSerial).toBe(0)
  expect(Buffer.from(read(leaf?.details).key ?? [])).toEqual(identity.staticKey.public)
  const signed = (key: Uint8Array, certificate: proto.CertChain.INoiseCertificate | null | undefined): boolean =>
    verify(key, certificate?.details ?? Buffer.alloc(0), certificate?.signature ?? Buffer.alloc(0))
  expect(signed(identity.rootPublic, intermediate)).toBe(true)
  expect(signed(issuer.key ?? Buffer.alloc(0), leaf)).toBe(true)
  expect(signed(generateKeyPair().public, intermediate)).toBe(false)
})
