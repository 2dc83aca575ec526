import type { SignalKeyStore } from '@whiskeysockets/baileys'
import { UnreadableError } from '../../credentials/cipher.ts'
import type { FrameGate } from '../socket/writes.ts'

/**
 * A socket's keys. What is set is read from then on, and nobody waits until `store` has it but the frames that are written
 * from then on (`hold`): those that rest on it, and those that tell WhatsApp that it need not send a message again.
 *
 * A failure ends the socket, by calling `end`, before whoever asked learns of it; after a failed write the gate stays
 * shut. Baileys would go on: it sends a message without the one recipient whose encryption failed, and tells WhatsApp that
 * an inbound message is dealt with though nothing of it was kept. On a socket that is closed it can say neither, and
 * WhatsApp delivers again. A value that cannot be decrypted is no such failure: the next socket would end by it, too.
 */
export function socketKeys(
  store: SignalKeyStore,
  hold: FrameGate['hold'],
  end: (error: unknown) => void,
): SignalKeyStore {
  async function ending<T>(work: T | Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      if (!(error instanceof UnreadableError)) end(error)
      throw error
    }
  }

  return {
    get: (type, ids) => ending(store.get(type, ids)),
    set(mutations) {
      ending(store.set(mutations)).then(hold(), () => undefined)
    },
  }
}
