import {
  DEFAULT_CONNECTION_CONFIG,
  isHostedLidUser,
  isJidBroadcast,
  isJidGroup,
  isHostedPnUser,
  isLidUser,
  isPnUser,
  type SignalDataSet,
  type SignalDataTypeMap,
  type SignalKeyStore,
  type SocketConfig,
} from '@whiskeysockets/baileys'
import { askOnce } from './ask-once.ts'
import { trimOwnSenderKey } from './sender-key.ts'
import { createKeyedMutex } from './keyed-mutex.ts'

type Repository = ReturnType<SocketConfig['makeSignalRepository']>
type Sessions = NonNullable<SignalDataSet['session']>

/**
 * Records that advance with every message, and what must be kept with them: a pre-key goes with the session that it made,
 * and one that is sent in a retry receipt must be there before. And privacy tokens, which Baileys sets after the
 * transaction that they would go to has ended, so that they would be lost, and asked for again with every message.
 */
const RECORDS = [
  'session',
  'sender-key',
  'identity-key',
  'pre-key',
  'tctoken',
] as const satisfies (keyof SignalDataTypeMap)[]
const IS_RECORD = new Set<string>(RECORDS)

/**
 * Baileys' Signal repository, with the records that advance at every message set the moment they change.
 *
 * Baileys itself wraps a send in a transaction, keeps the advanced records in memory, writes the bytes to the socket,
 * and commits after that. A crash in between uses the same message counter, and so the same message key, again; and a
 * transaction that decrypts from a contact while another encrypts for it sets the records back even without a crash,
 * since each commits what it read at its start. Here these records pass the transactions by: one at a time reads, changes
 * and sets the record of a device in `keys`, which are below the transactions, and from then on no frame leaves until it is
 * stored. So the texts that are encrypted meanwhile are stored together and leave together. What Baileys commits later no
 * longer holds these records. Decryption gains the same: a record that went forward never goes back, whatever happens to
 * the rest of its transaction.
 *
 * `notBefore` is when the data of this Redis began, or were last found to have gone back to an older copy, in ms. Nothing is sent in a
 * Signal session from before: its record may be older than what was sent, and its next counters used.
 */
export function writeAhead(keys: SignalKeyStore, notBefore = (): number => 0): SocketConfig['makeSignalRepository'] {
  const records: SignalKeyStore = {
    get: (type, ids) => keys.get(type, ids),
    set: mutations => keys.set(withoutOwnKeys(mutations)),
  }
  return (auth, logger, pnToLid) => {
    // In place: Baileys reads and deletes sessions through this same object, past the repository.
    Object.assign(auth.keys, passBy(records, auth.keys))
    const repository = DEFAULT_CONNECTION_CONFIG.makeSignalRepository(auth, logger, pnToLid && askOnce(pnToLid))
    const process = repository.processSenderKeyDistributionMessage.bind(repository)
    return Object.assign(repository, oneAtATime(repository, records), quickValidation(repository, records, notBefore), {
      async processSenderKeyDistributionMessage(options: Parameters<typeof process>[0]) {
        // Baileys takes a lock under this id, and its sender chooses it. One that named our own jid would take the lock of our
        // sends, and hold them up.
        if (!isManyJid(options.item.groupId)) throw new Error('a sender key is for a group')
        return process(options)
      },
    })
  }
}

/**
 * One operation at a time on a contact's records. libsignal queues by the address that it is given, and a contact has two,
 * by number and by LID, of which the store makes one: a text sent to a number and a text read from its LID would change
 * one record at once, and what is stored last would set the other back. So the address is made one before. When the LID
 * becomes known, the records move to it; that takes the turns of both. Nor does libsignal's queue keep to the transaction
 * of each, since it runs the later job in the context of the first.
 */
function oneAtATime(
  repository: Repository,
  records: SignalKeyStore,
): Pick<Repository, 'encryptMessage' | 'decryptMessage' | 'injectE2ESession' | 'migrateSession'> {
  const inTurn = createKeyedMutex()
  const encrypt = repository.encryptMessage.bind(repository)
  const decrypt = repository.decryptMessage.bind(repository)
  const inject = repository.injectE2ESession.bind(repository)
  const migrate = repository.migrateSession.bind(repository)

  const addressOf = (jid: string) => repository.jidToSignalProtocolAddress(jid)
  const contactOf = (jid: string) => addressOf(jid).replace(/\.\d+$/, '')

  /** Always the number's turn before the LID's, so that nobody waits for somebody who waits for him. */
  async function exclusive<O extends { jid: string }, T>(work: (options: O) => Promise<T>, options: O): Promise<T> {
    const jid = await numberOf(repository, options.jid)
    return inTurn(contactOf(jid), async () => {
      const before = await oneName(repository, jid)
      if (before !== jid) return underLid(work, options, jid, before)
      try {
        return await work(options)
      } catch (error) {
        const now = await oneName(repository, jid)
        if (now === jid) throw error
        // The LID became known meanwhile, so libsignal looked for a record under it before there was one.
        return underLid(work, options, jid, now)
      }
    })
  }

  async function underLid<O extends { jid: string }, T>(
    work: (options: O) => Promise<T>,
    options: O,
    jid: string,
    lid: string,
  ): Promise<T> {
    return inTurn(contactOf(lid), async () => {
      const [from, to] = [addressOf(jid), addressOf(lid)]
      const { [from]: record, [to]: moved } = await records.get('session', [from, to])
      // Baileys is about to move the contact's records, but this one is needed now.
      if (!moved && record) await records.set({ session: { [to]: record, [from]: null } })
      return work({ ...options, jid: lid })
    })
  }

  return {
    encryptMessage: options => exclusive(encrypt, options),
    decryptMessage: options => exclusive(decrypt, options),
    injectE2ESession: options => exclusive(inject, options),
    async migrateSession(from, to) {
      // Baileys moves nothing else, and asks for it.
      if (!isNumber(from) || !isLid(to)) return migrate(from, to)
      return inTurn(contactOf(from), async () => inTurn(contactOf(to), async () => migrate(from, to)))
    },
  }
}

/** What is read of a record as libsignal 6.0.0 writes it (`session_record.js`). */
interface Written {
  _sessions?: Record<string, { registrationId?: unknown; indexInfo: { closed: number; created: number } }>
}

/**
 * Before each message Baileys asks of every device whether its record has an open session, and libsignal parses all keys
 * of the record for that. What is written tells, too. Only of a record that has none libsignal is asked why.
 */
function quickValidation(
  repository: Repository,
  records: SignalKeyStore,
  notBefore: () => number,
): Pick<Repository, 'validateSession'> {
  const validate = repository.validateSession.bind(repository)

  async function lookUp(jid: string): Promise<'open' | 'old' | 'unclear'> {
    const address = repository.jidToSignalProtocolAddress(await oneName(repository, jid))
    const { [address]: record } = (await records.get('session', [address])) as Record<string, Written | undefined>
    const open = Object.values(record?._sessions ?? {}).find(({ indexInfo }) => indexInfo.closed === -1)
    if (open !== undefined && open.indexInfo.created < notBefore()) return 'old'
    return typeof open?.registrationId === 'number' ? 'open' : 'unclear'
  }

  return {
    async validateSession(jid) {
      const found = await lookUp(jid).catch(() => 'unclear' as const)
      if (found === 'old') return { exists: false, reason: 'it is from before this copy of the data' }
      return found === 'open' ? { exists: true } : validate(jid)
    },
  }
}

/** Of the two names that a device may have, the one under which its record is kept. */
async function oneName(repository: Repository, jid: string): Promise<string> {
  const lid = isNumber(jid) ? await repository.lidMapping.getLIDForPN(jid) : undefined
  return lid ?? jid
}

/** Of the two names that a device may have, the number, where it is known. */
async function numberOf(repository: Repository, jid: string): Promise<string> {
  const number = isLid(jid) ? await repository.lidMapping.getPNForLID(jid) : undefined
  return number ?? jid
}

const isManyJid = (jid: string | null | undefined) =>
  isJidGroup(jid ?? '') === true || isJidBroadcast(jid ?? '') === true
const isNumber = (jid: string) => isPnUser(jid) === true || isHostedPnUser(jid) === true
const isLid = (jid: string) => isLidUser(jid) === true || isHostedLidUser(jid) === true

function withoutOwnKeys(records: SignalDataSet): SignalDataSet {
  const { 'sender-key': senderKeys } = records
  if (senderKeys === undefined) return records
  const trimmed = Object.entries(senderKeys).map(([id, record]) => [id, record && trimOwnSenderKey(record)])
  return { ...records, 'sender-key': Object.fromEntries(trimmed) }
}

/**
 * Baileys moves the records of a number to its LID by a copy: the number's go and the LID's are set, at once. Where the LID
 * has one, a message was sent under it, so it stays: the copy might have a counter that was used.
 */
async function withoutReturns(records: SignalKeyStore, sessions: Sessions): Promise<Sessions> {
  const isMove = Object.values(sessions).some(session => !session)
  const set = Object.keys(sessions).filter(address => sessions[address])
  if (!isMove || set.length === 0) return sessions
  const there = await records.get('session', set)
  return Object.fromEntries(Object.entries(sessions).filter(([address]) => !there[address] || !sessions[address]))
}

function passBy(records: SignalKeyStore, transactional: SignalKeyStore): Pick<SignalKeyStore, 'get' | 'set'> {
  const get = transactional.get.bind(transactional)
  const set = transactional.set.bind(transactional)

  return {
    get: async (type, ids) => (IS_RECORD.has(type) ? records.get(type, ids) : get(type, ids)),

    async set(mutations) {
      const passing: SignalDataSet = {}
      const rest: SignalDataSet = {}
      for (const [type, values] of Object.entries(mutations)) {
        Object.assign(IS_RECORD.has(type) ? passing : rest, { [type]: values })
      }
      if (passing.session !== undefined) passing.session = await withoutReturns(records, passing.session)
      if (Object.keys(passing).length > 0) await records.set(passing)
      if (Object.keys(rest).length > 0) await set(rest)
    },
  }
}
