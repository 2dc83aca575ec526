import {
  DEFAULT_CONNECTION_CONFIG,
  isHostedPnUser,
  isPnUser,
  type SignalDataSet,
  type SignalDataTypeMap,
  type SignalKeyStore,
  type SocketConfig,
} from '@whiskeysockets/baileys'
import { trimOwnSenderKey } from './sender-key.ts'
import { createTurns } from './turns.ts'

type Repository = ReturnType<SocketConfig['makeSignalRepository']>

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
 * since each commits what it read at its start. Here these records pass the transactions by: one at a time reads, changes
 * and stores the record of a device, and an encryption resolves when its record is stored. What Baileys commits later
 * no longer holds these records. Decryption gains the same: a record that went forward never goes
 * back, whatever happens to the rest of its transaction. `store` is the durable store below the transactions.
 */
export function writeAhead(store: SignalKeyStore): SocketConfig['makeSignalRepository'] {
  return (auth, logger, pnToLid) => {
    // In place: Baileys reads and deletes sessions through this same object, past the repository.
    Object.assign(auth.keys, passBy(store, auth.keys))
    const repository = DEFAULT_CONNECTION_CONFIG.makeSignalRepository(auth, logger, pnToLid)
    return Object.assign(repository, oneAtATime(repository))
  }
}

/**
 * One operation at a time on a device's record. libsignal queues by the address that it is given, and a device has two,
 * by number and by LID, of which the store makes one: a text sent to a number and a text read from its LID would change
 * one record at once, and what is stored last would set the other back. So the address is made one before. Nor does
 * libsignal's queue keep to the transaction of each, since it runs the later job in the context of the first.
 */
function oneAtATime(
  repository: Repository,
): Pick<Repository, 'encryptMessage' | 'decryptMessage' | 'injectE2ESession'> {
  const inTurn = createTurns()
  const encrypt = repository.encryptMessage.bind(repository)
  const decrypt = repository.decryptMessage.bind(repository)
  const inject = repository.injectE2ESession.bind(repository)

  async function exclusive<O extends { jid: string }, T>(work: (options: O) => Promise<T>, options: O): Promise<T> {
    const { jid } = options
    const byNumber = isPnUser(jid) === true || isHostedPnUser(jid) === true
    const lid = byNumber ? await repository.lidMapping.getLIDForPN(jid) : undefined
    const one = lid ?? jid
    return inTurn(repository.jidToSignalProtocolAddress(one), () => work({ ...options, jid: one }))
  }

  return {
    encryptMessage: options => exclusive(encrypt, options),
    decryptMessage: options => exclusive(decrypt, options),
    injectE2ESession: options => exclusive(inject, options),
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
