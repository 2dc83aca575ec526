import { BoundedMap } from './lru.ts'
import { receiverFrom, type SenderKeyReceiver } from './signal/sender-keys.ts'

/** A client's sender key for a group, and the numbers of the simulated members that were given it. */
export type HeldSenderKey = { readonly receiver: SenderKeyReceiver; readonly holders: Set<string> }

export type SenderKeyStore = {
  /** Keys of one `group|sender` by key id. */
  get(name: string): ReadonlyMap<number, HeldSenderKey> | undefined
  /** A member was given a key. A key that is known keeps its state: a rewound sender must not pass unseen. */
  take(name: string, distribution: Uint8Array, holder: string): void
  clear(): void
}

const KEYS_PER_SENDER = 5

export function createSenderKeyStore(capacity: number): SenderKeyStore {
  const senders = new BoundedMap<string, BoundedMap<number, HeldSenderKey>>(capacity)
  return {
    get: name => senders.get(name),
    take(name, distribution, holder) {
      const keys = senders.get(name) ?? new BoundedMap<number, HeldSenderKey>(KEYS_PER_SENDER)
      if (!senders.has(name)) senders.set(name, keys)
      const receiver = receiverFrom(distribution)
      const held = keys.get(receiver.keyId) ?? { receiver, holders: new Set<string>() }
      held.holders.add(holder)
      if (!keys.has(receiver.keyId)) keys.set(receiver.keyId, held)
    },
    clear: () => senders.clear(),
  }
}
