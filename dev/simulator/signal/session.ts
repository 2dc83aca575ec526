import { proto } from '@whiskeysockets/baileys'
import { agree, generateKeyPair, rawKey, signalKey, type KeyPair } from './curve.ts'
import { decryptCbc, derive, encryptCbc, fingerprint, hmac, sameBytes, stepChain } from './primitives.ts'

/** Double-ratchet session of one pair of devices, kept as plain objects: the simulator never serialises it. */
export type Session = {
  readonly ownIdentity: KeyPair
  readonly theirIdentity: Buffer
  /** hex of the initiator's base key: names the session in pkmsg. */
  readonly baseKey: string
  rootKey: Buffer
  ownRatchet: KeyPair
  theirRatchet: Buffer | undefined
  sending: { key: Buffer; counter: number } | undefined
  previousCounter: number
  readonly receiving: Map<string, ReceivingChain>
  /** Present until the other side has answered: what a pkmsg must repeat. */
  pending:
    | { readonly preKeyId: number | undefined; readonly signedPreKeyId: number; readonly base: KeyPair }
    | undefined
}

type ReceivingChain = { key: Buffer; next: number; readonly skipped: Map<number, Buffer> }

/** What a Signal message says in clear: enough to prove that no counter is used twice. */
export type SignalHeader = { readonly chain: string; readonly counter: number; readonly baseKey?: string }

const VERSION = 0x33
const MAC_LENGTH = 8
const MAX_SKIP = 2000
const MAX_CHAINS = 5
const PAD = Buffer.alloc(32, 0xff)

/** The root key of X3DH from the agreements in protocol order (the one-time agreement may be missing). */
export function rootKeyOf(agreements: readonly Buffer[]): Buffer {
  return derive(Buffer.concat([PAD, ...agreements]), 'WhisperText', 64).subarray(0, 32)
}

function ratchet(session: Session, theirRatchet: Uint8Array): Buffer {
  const keys = derive(agree(session.ownRatchet, theirRatchet), 'WhisperRatchet', 64, session.rootKey)
  session.rootKey = keys.subarray(0, 32)
  return keys.subarray(32)
}

/** Encrypts one message; the sending chain is made on first use, so a contact that never answers costs nothing. */
export function encryptMessage(session: Session, plaintext: Uint8Array): Buffer {
  if (!session.sending) {
    if (!session.theirRatchet) throw new Error('session has no remote ratchet key')
    session.ownRatchet = generateKeyPair()
    session.sending = { key: ratchet(session, session.theirRatchet), counter: 0 }
  }
  const { messageKey, nextKey } = stepChain(session.sending.key)
  const counter = session.sending.counter
  session.sending = { key: nextKey, counter: counter + 1 }
  const keys = derive(messageKey, 'WhisperMessageKeys', 80)
  const body = proto.SignalMessage.encode({
    ratchetKey: signalKey(session.ownRatchet.public),
    counter,
    previousCounter: session.previousCounter,
    ciphertext: encryptCbc(keys.subarray(0, 32), keys.subarray(64, 80), plaintext),
  }).finish()
  const mac = macOf(keys, session.ownIdentity.public, session.theirIdentity, body)
  return Buffer.concat([Buffer.of(VERSION), body, mac])
}

/** Decrypts a `msg` body, or throws: nothing of the session changes unless the MAC fits. */
export function decryptMessage(session: Session, ciphertext: Uint8Array): Buffer {
  const body = ciphertext.subarray(1, -MAC_LENGTH)
  const message = proto.SignalMessage.decode(body)
  const theirRatchet = Buffer.from(rawKey(message.ratchetKey ?? Buffer.alloc(0)))
  const counter = message.counter ?? 0
  const name = theirRatchet.toString('hex')
  const known = session.receiving.get(name)
  const rootBefore = session.rootKey
  const chain = known ?? { key: ratchet(session, theirRatchet), next: 0, skipped: new Map<number, Buffer>() }
  try {
    const taken = peekKey(chain, counter)
    const keys = derive(taken.messageKey, 'WhisperMessageKeys', 80)
    const mac = macOf(keys, session.theirIdentity, session.ownIdentity.public, body)
    if (!sameBytes(mac, ciphertext.subarray(-MAC_LENGTH))) throw new Error('bad message mac')
    const plaintext = decryptCbc(keys.subarray(0, 32), keys.subarray(64, 80), message.ciphertext ?? Buffer.alloc(0))
    taken.commit()
    if (!known) adoptChain(session, name, chain, theirRatchet)
    session.pending = undefined
    return plaintext
  } catch (error) {
    session.rootKey = rootBefore
    throw error
  }
}

function adoptChain(session: Session, name: string, chain: ReceivingChain, theirRatchet: Buffer): void {
  session.receiving.set(name, chain)
  for (const old of session.receiving.keys()) {
    if (session.receiving.size <= MAX_CHAINS) break
    session.receiving.delete(old)
  }
  session.theirRatchet = theirRatchet
  session.previousCounter = Math.max((session.sending?.counter ?? 0) - 1, 0)
  session.sending = undefined
}

function peekKey(chain: ReceivingChain, counter: number): { messageKey: Buffer; commit(): void } {
  if (counter < chain.next) {
    const messageKey = chain.skipped.get(counter)
    if (!messageKey) throw new Error('message counter used already')
    return { messageKey, commit: () => void chain.skipped.delete(counter) }
  }
  if (counter - chain.next > MAX_SKIP) throw new Error('message counter too far ahead')
  const skipped: [number, Buffer][] = []
  let step = stepChain(chain.key)
  for (let at = chain.next; at < counter; at++) {
    skipped.push([at, step.messageKey])
    step = stepChain(step.nextKey)
  }
  return {
    messageKey: step.messageKey,
    commit: () => {
      for (const [at, key] of skipped) chain.skipped.set(at, key)
      chain.key = step.nextKey
      chain.next = counter + 1
    },
  }
}

function macOf(keys: Buffer, sender: Uint8Array, receiver: Uint8Array, body: Uint8Array): Buffer {
  const mac = hmac(keys.subarray(32, 64), signalKey(sender), signalKey(receiver), Buffer.of(VERSION), body)
  return mac.subarray(0, MAC_LENGTH)
}

/** Reads the clear header of a `msg` or the inner message of a `pkmsg`. */
export function readHeader(type: string, ciphertext: Uint8Array): SignalHeader {
  const outer = type === 'pkmsg' ? proto.PreKeySignalMessage.decode(ciphertext.subarray(1)) : undefined
  const inner = outer?.message ?? ciphertext
  const message = proto.SignalMessage.decode(inner.subarray(1, -MAC_LENGTH))
  return {
    chain: fingerprint(message.ratchetKey ?? Buffer.alloc(0)),
    counter: message.counter ?? 0,
    ...(outer?.baseKey ? { baseKey: fingerprint(outer.baseKey) } : {}),
  }
}
