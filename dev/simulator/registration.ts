import type { BinaryNode, proto } from '@whiskeysockets/baileys'
import type { Connection } from './world.ts'

/** What a client that asked for a code has sent, and the finish it sends after the phone's answer. */
export type CodeHello = {
  readonly phone: string
  /** salt(32) iv(16) ciphertext(32) of the companion's ephemeral key, under the code. */
  readonly wrappedKey: Buffer
  readonly ref: Buffer
  finished: ((bundle: Buffer) => void) | undefined
}

/** A connection that waits to be linked. */
export type Registration = {
  readonly connection: Connection
  readonly noiseStatic: Buffer
  readonly data: proto.ClientPayload.IDevicePairingRegistrationData
  readonly identity: Buffer
  readonly refs: ReadonlySet<string>
  /** Set when the client asked for a pairing code. */
  codeHello: CodeHello | undefined
  /** Set while a scan waits for the client's answer; called with its result. */
  answered: ((stanza: BinaryNode) => void) | undefined
}
