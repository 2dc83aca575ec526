import { BufferJSON, proto } from '@whiskeysockets/baileys'
import type { AuthenticationCreds, KeyPair, SignalDataTypeMap } from '@whiskeysockets/baileys'

// The first byte of a value says how the rest is written. It is our own format (the cipher's envelope
// holds it), so that a later Baileys with another format can be met by reading ours.
const BYTES = 0
const JSON_TEXT = 1
const JSON_WITH_BYTES = 2
/** The public and the private key, 32 bytes each. */
const KEY_PAIR = 3
const KEY_BYTES = 32

/** Types that hold text, numbers and base64 only: they are read without a reviver, several times faster. */
const PLAIN = new Set<string>(['session', 'sender-key-memory', 'device-list', 'lid-mapping'])

/** A credential or Signal key as bytes. Values that are the same give the same bytes. */
export function encodeValue(type: string, value: unknown): Buffer {
  if (value instanceof Uint8Array) return Buffer.concat([Buffer.of(BYTES), value])
  if (type === 'pre-key') return encodePair(value as KeyPair)
  const plain = PLAIN.has(type)
  const text = plain ? JSON.stringify(value) : withBytes(value)
  return Buffer.concat([Buffer.of(plain ? JSON_TEXT : JSON_WITH_BYTES), Buffer.from(text)])
}

function encodePair(pair: KeyPair): Buffer {
  const halves = [pair.public, pair.private]
  if (halves.some(half => half.length !== KEY_BYTES)) throw new TypeError('not a pair of 32-byte keys')
  return Buffer.concat([Buffer.of(KEY_PAIR), ...halves])
}

/**
 * The text that `BufferJSON` makes of a value. JSON.stringify shows bytes to its replacer as a list of numbers, which takes
 * a tenth of a message to a new contact: the index of privacy tokens is written with each and has all contacts in it.
 */
function withBytes(value: unknown): string {
  const isPlain = isObject(value) && !Array.isArray(value) && !('toJSON' in value)
  const fields: [string, unknown][] = isPlain ? Object.entries(value) : []
  if (!isPlain || fields.some(([, field]) => isObject(field) && !isBytes(field))) {
    return JSON.stringify(value, BufferJSON.replacer)
  }
  const texts = fields.map(([name, field]) => [name, isBytes(field) ? textOf(field) : field])
  return JSON.stringify(Object.fromEntries(texts))
}

const isObject = (value: unknown) => typeof value === 'object' && value !== null
const isBytes = (value: unknown) => value instanceof Uint8Array

function textOf(bytes: Uint8Array): { type: 'Buffer'; data: string } {
  const { buffer, byteOffset, byteLength } = bytes
  return { type: 'Buffer', data: Buffer.from(buffer, byteOffset, byteLength).toString('base64') }
}

/** Reads what {@link encodeValue} wrote. The result is the caller's own: changing it changes nothing that is kept. */
export function decodeValue<T extends keyof SignalDataTypeMap>(type: T, bytes: Buffer): SignalDataTypeMap[T] {
  const value = decodeAny(bytes)
  // Baileys calls methods of this one, so it must be the message again and not its JSON.
  const revived = type === 'app-state-sync-key' ? proto.Message.AppStateSyncKeyData.fromObject(value as object) : value
  return revived as SignalDataTypeMap[T]
}

/** Reads the creds. */
export function decodeCreds(bytes: Buffer): AuthenticationCreds {
  const creds = decodeAny(bytes) as AuthenticationCreds
  // The account was a protobuf message, whose JSON has its bytes as base64.
  if (creds.account !== undefined) creds.account = proto.ADVSignedDeviceIdentity.fromObject(creds.account)
  return creds
}

function decodeAny(bytes: Buffer): unknown {
  const body = bytes.subarray(1)
  if (bytes[0] === BYTES) return Buffer.from(body)
  if (bytes[0] === KEY_PAIR) {
    return { public: Buffer.from(body.subarray(0, KEY_BYTES)), private: Buffer.from(body.subarray(KEY_BYTES)) }
  }
  if (bytes[0] === JSON_TEXT) return JSON.parse(body.toString())
  if (bytes[0] === JSON_WITH_BYTES) return JSON.parse(body.toString(), BufferJSON.reviver)
  throw new Error('a credential is in a format that this version does not know')
}
