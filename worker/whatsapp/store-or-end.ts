import type { SignalKeyStore } from '@whiskeysockets/baileys'
import { UnreadableError } from '../credentials/cipher.ts'

/**
 * A key store whose failures end the socket, by calling `end`, before whoever asked learns of them. Baileys goes on
 * after a failed write: it sends a message without the one recipient whose encryption failed, and it tells WhatsApp that
 * an inbound message is dealt with though nothing of it was kept. On a socket that is closed it can say neither, and
 * WhatsApp delivers again. A value that cannot be decrypted is no such failure: the next socket would end by it, too.
 */
export function storeOrEnd(store: SignalKeyStore, end: (error: unknown) => void): SignalKeyStore {
  const ending = async <T>(work: T | Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (error) {
      if (!(error instanceof UnreadableError)) end(error)
      throw error
    }
  }
  return {
    get: (type, ids) => ending(store.get(type, ids)),
    set: mutations => ending(store.set(mutations)),
  }
}
