import { randomInt } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'
import { agree, generateKeyPair, rawKey, sign, signalKey, verify, type KeyPair } from './curve.ts'
import { decryptMessage, encryptMessage, rootKeyOf, type Session } from './session.ts'

/** The public keys with which a session to a device is started. */
export type Bundle = {
  readonly registrationId: number
  /** 32 bytes. */
  readonly identity: Uint8Array
  readonly signedPreKey: { readonly id: number; readonly public: Uint8Array; readonly signature: Uint8Array }
  readonly preKey?: { readonly id: number; readonly public: Uint8Array }
}

/** A simulated device's Signal state: identity, prekeys and a few sessions per remote address. */
export type Party = {
  readonly identity: KeyPair
  readonly registrationId: number
  /** A bundle with a fresh one-time prekey. */
  bundle(): Bundle
  hasSession(address: string): boolean
  /** Starts a session as initiator; throws when the bundle's signature does not verify. */
  start(address: string, bundle: Bundle): void
  encrypt(address: string, plaintext: Uint8Array): { type: 'msg' | 'pkmsg'; ciphertext: Buffer }
  decrypt(address: string, type: 'msg' | 'pkmsg', ciphertext: Uint8Array): Buffer
}

const MAX_SESSIONS = 6
const MAX_PREKEYS = 2000
const SIGNED_PREKEY_ID = 1

/** Makes a party with new keys. */
export function createParty(): Party {
  const identity = generateKeyPair()
  const signedPreKey = generateKeyPair()
  const signature = sign(identity, signalKey(signedPreKey.public))
  const registrationId = randomInt(1, 16_380)
  const preKeys = new Map<number, KeyPair>()
  const sessions = new Map<string, Session[]>()
  let lastPreKeyId = 0

  const adopt = (address: string, session: Session): void => {
    const others = (sessions.get(address) ?? []).filter(other => other !== session)
    sessions.set(address, [session, ...others].slice(0, MAX_SESSIONS))
  }

  const accept = (address: string, outer: proto.PreKeySignalMessage): Session => {
    const baseKey = Buffer.from(rawKey(outer.baseKey ?? Buffer.alloc(0)))
    const known = sessions.get(address)?.find(session => session.baseKey === baseKey.toString('hex'))
    if (known) return known
    const theirIdentity = Buffer.from(rawKey(outer.identityKey ?? Buffer.alloc(0)))
    const preKey = outer.preKeyId ? preKeys.get(outer.preKeyId) : undefined
    if (outer.preKeyId && !preKey) throw new Error('one-time prekey unknown or used')
    if (outer.signedPreKeyId !== SIGNED_PREKEY_ID) throw new Error('signed prekey unknown')
    const agreements = [agree(signedPreKey, theirIdentity), agree(identity, baseKey), agree(signedPreKey, baseKey)]
    if (preKey) agreements.push(agree(preKey, baseKey))
    return {
      ownIdentity: identity,
      theirIdentity,
      baseKey: baseKey.toString('hex'),
      rootKey: rootKeyOf(agreements),
      ownRatchet: signedPreKey,
      theirRatchet: undefined,
      sending: undefined,
      previousCounter: 0,
      receiving: new Map(),
      pending: undefined,
    }
  }

  return {
    identity,
    registrationId,
    bundle() {
      lastPreKeyId = (lastPreKeyId % 0xfffffe) + 1
      const preKey = generateKeyPair()
      preKeys.set(lastPreKeyId, preKey)
      for (const old of preKeys.keys()) {
        if (preKeys.size <= MAX_PREKEYS) break
        preKeys.delete(old)
      }
      return {
        registrationId,
        identity: identity.public,
        signedPreKey: { id: SIGNED_PREKEY_ID, public: signedPreKey.public, signature },
        preKey: { id: lastPreKeyId, public: preKey.public },
      }
    },
    hasSession: address => sessions.has(address),
    start(address, bundle) {
      const theirs = bundle.signedPreKey
      if (!verify(bundle.identity, signalKey(theirs.public), theirs.signature)) {
        throw new Error('signed prekey has a bad signature')
      }
      const base = generateKeyPair()
      const agreements = [agree(identity, theirs.public), agree(base, bundle.identity), agree(base, theirs.public)]
      if (bundle.preKey) agreements.push(agree(base, bundle.preKey.public))
      adopt(address, {
        ownIdentity: identity,
        theirIdentity: Buffer.from(rawKey(bundle.identity)),
        baseKey: base.public.toString('hex'),
        rootKey: rootKeyOf(agreements),
        ownRatchet: base,
        theirRatchet: Buffer.from(rawKey(theirs.public)),
        sending: undefined,
        previousCounter: 0,
        receiving: new Map(),
        pending: { preKeyId: bundle.preKey?.id, signedPreKeyId: theirs.id, base },
      })
    },
    encrypt(address, plaintext) {
      const session = sessions.get(address)?.[0]
      if (!session) throw new Error('no session')
      const message = encryptMessage(session, plaintext)
      if (!session.pending) return { type: 'msg', ciphertext: message }
      const body = proto.PreKeySignalMessage.encode({
        registrationId,
        ...(session.pending.preKeyId === undefined ? {} : { preKeyId: session.pending.preKeyId }),
        signedPreKeyId: session.pending.signedPreKeyId,
        baseKey: signalKey(session.pending.base.public),
        identityKey: signalKey(identity.public),
        message,
      }).finish()
      return { type: 'pkmsg', ciphertext: Buffer.concat([Buffer.of(0x33), body]) }
    },
    decrypt(address, type, ciphertext) {
      if (type === 'pkmsg') {
        const outer = proto.PreKeySignalMessage.decode(ciphertext.subarray(1))
        const session = accept(address, outer)
        const plaintext = decryptMessage(session, outer.message ?? Buffer.alloc(0))
        if (outer.preKeyId) preKeys.delete(outer.preKeyId)
        adopt(address, session)
        return plaintext
      }
      let failure: unknown = new Error('no session')
      for (const session of sessions.get(address) ?? []) {
        try {
          const plaintext = decryptMessage(session, ciphertext)
          adopt(address, session)
          return plaintext
        } catch (error) {
          failure = error
        }
      }
      throw failure
    },
  }
}
