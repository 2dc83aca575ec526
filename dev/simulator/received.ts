import type { Stamp } from './journal.ts'
import type { Numbered } from './ring.ts'

/** What happened to one ciphertext of a message. */
export type Opened = {
  /** Number of the recipient. */
  readonly phone: string
  /** 0 is the recipient's simulated phone; others are linked clients, to which the ciphertext was passed on. */
  readonly device: number
  readonly role: 'contact' | 'own-phone' | 'companion'
  readonly type: string
  /** Names the sending chain: ratchet key fingerprint, or group and key id of a sender key. */
  readonly chain: string
  /** Message counter, or sender-key iteration. A pair of chain and counter must be unique per recipient. */
  readonly counter: number
  /** Fingerprint of the ciphertext: tells a repeated frame from a counter that was used for something else. */
  readonly ciphertext: string
  readonly ok: boolean
  readonly error?: string
}

/** Media that a contact fetched and decrypted. */
export type ReceivedMedia = {
  readonly kind: string
  readonly mimetype?: string
  /** hex sha256 and length of the decrypted bytes. */
  readonly sha256: string
  readonly bytes: number
}

/** A message stanza that a client sent. Every arrival is an entry, also one with an id seen before. */
export type Received = Numbered &
  Stamp & {
    readonly connection: number
    readonly from: { readonly phone: string; readonly device: number }
    /** `to` as the client wrote it; `chatPhone` is the recipient's number in a 1:1 chat. */
    readonly chat: string
    readonly chatPhone?: string
    readonly id: string
    readonly type: string
    readonly attrs: Readonly<Record<string, string>>
    /** The decrypted message as protobuf JSON (bytes as base64); absent when nobody could decrypt it. */
    readonly message?: Readonly<Record<string, unknown>>
    /** Text or caption, for convenience. */
    readonly text?: string
    /** True when this sender has sent this id to this chat before. */
    readonly duplicate: boolean
    readonly opened: readonly Opened[]
    readonly media?: ReceivedMedia | { readonly error: string }
    /** Error code of the ack, when the server refused the message. */
    readonly refused?: string
  }
