import { createCipheriv, createDecipheriv, createHash, createSecretKey, type KeyObject } from 'node:crypto'
import { NOISE_MODE, proto } from '@whiskeysockets/baileys'
import { agree, generateKeyPair, sign, type KeyPair } from './signal/curve.ts'
import { derive } from './signal/primitives.ts'

const TAG = 16
const NOTHING = Buffer.alloc(0)

/** The server's long-lived Noise keys and the certificate chain that its own root signed. */
export type NoiseIdentity = { readonly rootPublic: Buffer; readonly staticKey: KeyPair; readonly certChain: Buffer }

/**
 * Makes a root, an intermediate and a leaf. A client that verifies with this root as
 * `WA_CERT_DETAILS.PUBLIC_KEY` accepts the chain; issuerSerial 0 is the serial it expects of the root.
 */
export function createNoiseIdentity(): NoiseIdentity {
  const [root, intermediate, staticKey] = [generateKeyPair(), generateKeyPair(), generateKeyPair()]
  const certify = (issuer: KeyPair, details: proto.CertChain.NoiseCertificate.IDetails) => {
    const bytes = proto.CertChain.NoiseCertificate.Details.encode(details).finish()
    return { details: bytes, signature: sign(issuer, bytes) }
  }
  const certChain = proto.CertChain.encode({
    intermediate: certify(root, { serial: 1, issuerSerial: 0, key: intermediate.public }),
    leaf: certify(intermediate, { serial: 2, issuerSerial: 1, key: staticKey.public }),
  }).finish()
  return { rootPublic: root.public, staticKey, certChain: Buffer.from(certChain) }
}

/** Both directions after the handshake. */
export type Transport = { encrypt(plaintext: Uint8Array): Buffer; decrypt(ciphertext: Uint8Array): Buffer }

/** The server's side of Noise XX: `hello` answers clientHello, `finish` reads clientFinish. */
export type NoiseServer = {
  hello(clientHello: Uint8Array): Buffer
  finish(clientFinish: Uint8Array): { clientStatic: Buffer; payload: proto.ClientPayload; transport: Transport }
}

/** Starts a handshake; `intro` is the client's four-byte introduction, which both sides mix in. */
export function createNoiseServer(identity: NoiseIdentity, intro: Buffer): NoiseServer {
  const ephemeral = generateKeyPair()
  let hash: Buffer = Buffer.from(NOISE_MODE)
  let salt = hash
  let key = createSecretKey(hash)
  let counter = 0

  const authenticate = (data: Uint8Array): void => {
    hash = createHash('sha256').update(hash).update(data).digest()
  }
  const mix = (secret: Uint8Array): void => {
    const expanded = derive(secret, '', 64, salt)
    salt = expanded.subarray(0, 32)
    key = createSecretKey(expanded.subarray(32))
    counter = 0
  }
  const seal = (plaintext: Uint8Array): Buffer => {
    const sealed = encryptGcm(key, counter++, plaintext, hash)
    authenticate(sealed)
    return sealed
  }
  const open = (sealed: Uint8Array): Buffer => {
    const plaintext = decryptGcm(key, counter++, sealed, hash)
    authenticate(sealed)
    return plaintext
  }

  authenticate(intro)
  return {
    hello(message) {
      const theirs = proto.HandshakeMessage.decode(message).clientHello?.ephemeral
      if (!theirs) throw new Error('client hello has no key')
      authenticate(theirs)
      authenticate(ephemeral.public)
      mix(agree(ephemeral, theirs))
      const sealedStatic = seal(identity.staticKey.public)
      mix(agree(identity.staticKey, theirs))
      const payload = seal(identity.certChain)
      const answer = { serverHello: { ephemeral: ephemeral.public, static: sealedStatic, payload } }
      return Buffer.from(proto.HandshakeMessage.encode(answer).finish())
    },
    finish(message) {
      const finish = proto.HandshakeMessage.decode(message).clientFinish
      if (!finish?.static || !finish.payload) throw new Error('client finish is incomplete')
      const clientStatic = open(finish.static)
      mix(agree(ephemeral, clientStatic))
      const payload = proto.ClientPayload.decode(open(finish.payload))
      const keys = derive(NOTHING, '', 64, salt)
      return { clientStatic, payload, transport: createTransport(keys.subarray(32), keys.subarray(0, 32)) }
    },
  }
}

function createTransport(write: Buffer, readWith: Buffer): Transport {
  const writeKey = createSecretKey(write)
  const readKey = createSecretKey(readWith)
  let written = 0
  let read = 0
  return {
    encrypt: plaintext => encryptGcm(writeKey, written++, plaintext, NOTHING),
    decrypt: ciphertext => decryptGcm(readKey, read++, ciphertext, NOTHING),
  }
}

function nonce(counter: number): Buffer {
  const iv = Buffer.alloc(12)
  iv.writeUInt32BE(counter, 8)
  return iv
}

function encryptGcm(key: KeyObject, counter: number, plaintext: Uint8Array, aad: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce(counter))
  cipher.setAAD(aad)
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

function decryptGcm(key: KeyObject, counter: number, sealed: Uint8Array, aad: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce(counter))
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(-TAG))
  return Buffer.concat([decipher.update(sealed.subarray(0, -TAG)), decipher.final()])
}
