import {
  extractDeviceJids,
  jidDecode,
  jidNormalizedUser,
  USyncQuery,
  USyncUser,
  WAJIDDomains,
  type FullJid,
  type PossiblyExtendedCacheStore,
  type USyncQueryResultList,
  type WASocket,
} from '@whiskeysockets/baileys'
import { addressOf, type Address, type Addressing } from './addressing.ts'
import { JobFailure } from '../jobs/job.ts'

/** What is used of a socket. */
export type DeviceSource = Pick<WASocket, 'authState' | 'executeUSyncQuery' | 'signalRepository'>

/** The devices of users, as one session knows them. */
export interface Devices {
  /**
   * Of these users, those who have devices; WhatsApp is asked, in one request, for those who are not in the cache. From
   * then on Baileys sends to them without a request of its own. Throws `JobFailure` `ACK_TIMEOUT` when WhatsApp does not
   * answer, and as the request does.
   */
  find(jids: readonly string[]): Promise<ReadonlySet<string>>
  /** Where a message to this jid goes. */
  address(jid: string): Promise<Address>
}

/** A device as Baileys' cache has it, under the user part of its jid. */
type CachedDevice = Omit<FullJid, 'domainType'>

/**
 * Asks WhatsApp for devices in place of Baileys' `getUSyncDevices` (messages-send.js), which does one thing more: for
 * every user whose LID is in the answer, known or not, it fetches a bundle of pre-keys and begins a new Signal session.
 * That is each text after five quiet minutes, and each first text after a start: two requests and a pre-key of the contact
 * and two of our own phone, for sessions that were there. Here a session is fetched only where there is none, by the send
 * itself.
 */
export function createDevices(
  sock: DeviceSource,
  cache: PossiblyExtendedCacheStore,
  addressing: Addressing = 'lid',
): Devices {
  /** Requests on their way, by user: texts that are sent side by side share one. */
  const asking = new Map<string, Promise<void>>()

  async function ask(jids: readonly string[]): Promise<void> {
    const query = new USyncQuery().withContext('message').withDeviceProtocol().withLIDProtocol()
    for (const jid of jids) query.withUser(new USyncUser().withId(jid))
    const answer = await sock.executeUSyncQuery(query)
    if (answer === undefined) {
      throw new JobFailure('ACK_TIMEOUT', 'WhatsApp did not look the number up in time', 'backoff')
    }
    await learnLids(answer.list)
    await learnDevices(answer.list)
  }

  async function learnLids(list: readonly USyncQueryResultList[]): Promise<void> {
    const pairs = list.flatMap(({ id, lid }) => (typeof lid === 'string' ? [{ pn: id, lid }] : []))
    await sock.signalRepository.lidMapping.storeLIDPNMappings(pairs)
  }

  async function learnDevices(list: USyncQueryResultList[]): Promise<void> {
    const { creds, keys } = sock.authState
    const me = creds.me ?? { id: '', lid: undefined }
    const devices = Map.groupBy(extractDeviceJids(list, me.id, me.lid ?? '', false), ({ user }) => user)
    for (const [user, found] of devices) await cache.set(user, found)
    // A contact has the same devices under its LID, by which it is sent to.
    for (const { id, lid } of list) {
      const [number, name] = [jidDecode(id)?.user ?? '', jidDecode(typeof lid === 'string' ? lid : undefined)]
      const found = devices.get(number)
      if (found !== undefined && name !== undefined)
        await cache.set(
          name.user,
          found.map(device => underLid(device, name.user)),
        )
    }
    if (devices.size === 0) return
    // Baileys moves a contact's sessions to its LID by this list.
    const numbers = [...devices].map(([user, found]) => [user, found.map(({ device }) => String(device ?? 0))])
    await keys.set({ 'device-list': Object.fromEntries(numbers) })
  }

  return {
    address: async jid => addressOf(sock, jid, addressing),
    async find(jids) {
      const users = jids.map(jid => ({ jid, user: jidDecode(jid)?.user ?? '' }))
      const missing: typeof users = []
      for (const known of users) if ((await cache.get(known.user)) === undefined) missing.push(known)
      // Others may have asked while the cache was read.
      const wanted = missing.filter(({ user }) => !asking.has(user))
      if (wanted.length > 0) {
        const answer = ask(wanted.map(({ jid }) => jidNormalizedUser(jid))).finally(() => {
          for (const { user } of wanted) asking.delete(user)
        })
        for (const { user } of wanted) asking.set(user, answer)
      }
      await Promise.all(users.map(async ({ user }) => asking.get(user)))
      const found = new Set<string>()
      for (const { jid, user } of users) {
        const devices = await cache.get<CachedDevice[]>(user)
        if (devices !== undefined && devices.length > 0) found.add(jid)
      }
      return found
    },
  }
}

function underLid(device: FullJid, user: string): FullJid {
  const isHosted = device.domainType === WAJIDDomains.HOSTED
  return {
    ...device,
    user,
    server: isHosted ? 'hosted.lid' : 'lid',
    domainType: isHosted ? WAJIDDomains.HOSTED_LID : WAJIDDomains.LID,
  }
}
