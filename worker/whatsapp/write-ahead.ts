import {
  DEFAULT_CONNECTION_CONFIG,
  type SignalDataSet,
  type SignalDataTypeMap,
  type SignalKeyStore,
  type SocketConfig,
} from '@whiskeysockets/baileys'
import { trimOwnSenderKey } from './sender-key.ts'

/**
 * Records that advance with every message; and privacy tokens, which Baileys sets after the transaction that they would
 * go to has ended, so that they would be lost, and asked for again with every message.
 */
const RECORDS = ['session', 'sender-key', 'identity-key', 'tctoken'] as const satisfies (keyof SignalDataTypeMap)[]
const IS_RECORD = new Set<string>(RECORDS)

/**
 * Baileys' Signal repository, with the records that advance at every message stored the moment they change.
 *
 * Baileys itself wraps a send in a transaction, keeps the advanced records in memory, writes the bytes to the socket,
 * and commits after that. A crash in between uses the same message counter, and so the same message key, again; and a
 * transaction that decrypts from a contact while another encrypts for it sets the records back even without a crash,
 * since each commits what it read at its start. Here these records pass the transactions by: libsignal's own queue
 * makes each read-change-write of one address exclusive, and an encryption resolves when its record is stored. What
 * Baileys commits later no longer holds these records. Decryption gains the same: a record that went forward never goes
 * back, whatever happens to the rest of its transaction. `store` is the durable store below the transactions.
 */
export function writeAhead(store: SignalKeyStore): SocketConfig['makeSignalRepository'] {
  return (auth, logger, pnToLid) => {
    // In place: Baileys reads and deletes sessions through this same object, past the repository.
    Object.assign(auth.keys, passBy(store, auth.keys))
    return DEFAULT_CONNECTION_CONFIG.makeSignalRepository(auth, logger, pnToLid)
  }
}

function passBy(store: SignalKeyStore, transactional: SignalKeyStore): Pick<SignalKeyStore, 'get' | 'set'> {
  const get = transactional.get.bind(transactional)
  const set = transactional.set.bind(transactional)

  return {
    get: async (type, ids) => (IS_RECORD.has(type) ? store.get(type, ids) : get(type, ids)),

    async set(mutations) {
      const records: SignalDataSet = {}
      const rest: SignalDataSet = {}
      for (const [type, values] of Object.entries(mutations)) {
        Object.assign(IS_RECORD.has(type) ? records : rest, { [type]: values })
      }
      if (Object.keys(records).length > 0) await storeRecords(records)
      if (Object.keys(rest).length > 0) await set(rest)
    },
  }

  async function storeRecords(records: SignalDataSet): Promise<void> {
    const { 'sender-key': senderKeys } = records
    const trimmed = Object.entries(senderKeys ?? {}).map(([id, record]) => [id, record && trimOwnSenderKey(record)])
    await store.set(senderKeys === undefined ? records : { ...records, 'sender-key': Object.fromEntries(trimmed) })
  }
}
