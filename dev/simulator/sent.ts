import type { proto } from '@whiskeysockets/baileys'
import { addressOfDevice } from './world.ts'
import { BoundedMap } from './lru.ts'
import type { Account, Device } from './world.ts'

/** A message of a simulated contact, kept so that it can be encrypted again on a retry receipt. */
export type ContactMessage = {
  readonly sender: Account
  readonly message: proto.IMessage
  readonly attrs: Readonly<Record<string, string>>
}

/** A message of a client: who sent it, and which phones have read it. */
export type ClientMessage = { readonly device: Device; readonly readBy: Set<string> }

/** What was sent lately, by sender, chat and id. */
export type SentStore = {
  readonly byContact: BoundedMap<string, ContactMessage>
  readonly byClient: BoundedMap<string, ClientMessage>
  /** Retries that a contact asked for, by the key of the message and the contact. */
  readonly retries: BoundedMap<string, number>
}

export function createSentStore(capacity: number): SentStore {
  return {
    byContact: new BoundedMap(capacity),
    byClient: new BoundedMap(capacity),
    retries: new BoundedMap(capacity),
  }
}

/** Names a message of a client in the store of sent ones. */
export function clientMessageKey(device: Device, id: string): string {
  return `${addressOfDevice(device)}|${id}`
}
