import { createHash } from 'node:crypto'
import type { BinaryNode } from '@whiskeysockets/baileys'
import { PHONE_PATTERN, parseJid, userJid } from './jids.ts'
import { createParty, type Bundle, type Party } from './signal/party.ts'

/** A phone number with its hidden id. Device 0, the phone, is always simulated; `devices` are linked clients. */
export type Account = {
  readonly phone: string
  readonly lid: string
  readonly name: string
  /** Signal state of the simulated phone. */
  readonly party: Party
  readonly devices: Map<number, Device>
  nextDevice: number
  /** Numbers of devices that were logged out: they stay out, also for a simulator that adopts. */
  readonly unlinked: Set<number>
}

/** A linked companion device, that is a real client. */
export type Device = {
  readonly account: Account
  readonly number: number
  readonly noiseStatic: Buffer
  identity: Buffer
  registrationId: number
  signedPreKey: Bundle['signedPreKey']
  /** Uploaded one-time prekeys that nobody has fetched yet. */
  readonly preKeys: Map<number, Buffer>
  /** Stanzas that the client has not acked, in order: delivered again at the next login, as WhatsApp does. */
  readonly pending: Map<string, BinaryNode>
  historySent: boolean
  connection: Connection | undefined
}

/** What a connection is: `ready` devices get stanzas as they come, others have them queued. */
export type ConnectionState = 'handshake' | 'pairing' | 'open' | 'ready' | 'closed'

/** One socket of one client, from the Noise handshake to its end. */
export type Connection = {
  readonly number: number
  readonly openedAt: number
  closedAt: number | undefined
  state: ConnectionState
  /** Set by login. */
  device: Device | undefined
  /** Reads nothing and writes nothing any more, as a dead network path does. */
  frozen: boolean
  send(stanza: BinaryNode): void
  /** Sends `stanza`, then closes. What the client still sends is logged as late and has no effect. */
  finish(stanza?: BinaryNode): void
  /** Resets the TCP connection. */
  cut(): void
}

/** All accounts, and the numbers that behave specially. */
export type World = {
  readonly accounts: ReadonlyMap<string, Account>
  /** Numbers without WhatsApp: usync knows them not, group adds answer 404. */
  readonly unregistered: Set<string>
  /** Numbers whose privacy forbids being added to groups: group adds answer 403. */
  readonly restricted: Set<string>
  /** Numbers whose LID WhatsApp tells nobody: usync answers without, and their messages come by number alone. */
  readonly withoutLid: Set<string>
  /** The account of a number, made on first use; undefined when the number is unregistered or malformed. */
  ensure(phone: string): Account | undefined
  /** The account and device that a PN or LID jid names. */
  resolve(jid: string | undefined): { account: Account; device: number } | undefined
  nextFreePhone(): string
  clear(): void
}

/** Settings of a world. */
export type WorldOptions = { readonly firstPhone: number; readonly maxAccounts: number }

/** The LID of a number: derived, so that tests and several runs agree on it. */
export function lidOf(phone: string): string {
  const digest = createHash('sha256').update(`lid:${phone}`).digest()
  return `1${(digest.readUIntBE(0, 6) % 10 ** 13).toString().padStart(13, '0')}`
}

export function createWorld(options: WorldOptions): World {
  const accounts = new Map<string, Account>()
  const phoneOfLid = new Map<string, string>()
  const unregistered = new Set<string>()
  const restricted = new Set<string>()
  const withoutLid = new Set<string>()
  let nextPhone = options.firstPhone

  const ensure = (phone: string): Account | undefined => {
    if (!PHONE_PATTERN.test(phone) || unregistered.has(phone)) return undefined
    const known = accounts.get(phone)
    if (known) return known
    if (accounts.size >= options.maxAccounts) return undefined
    const lid = lidOf(phone)
    const name = `Contact ${phone.slice(-4)}`
    const account: Account = {
      phone,
      lid,
      name,
      party: createParty(),
      devices: new Map(),
      nextDevice: 1,
      unlinked: new Set(),
    }
    accounts.set(phone, account)
    phoneOfLid.set(lid, phone)
    return account
  }

  return {
    accounts,
    unregistered,
    restricted,
    withoutLid,
    ensure,
    resolve(jid) {
      const parsed = parseJid(jid)
      if (!parsed) return undefined
      const phone = parsed.server === 'lid' ? phoneOfLid.get(parsed.user) : parsed.user
      if (phone === undefined || !['lid', 's.whatsapp.net', 'c.us'].includes(parsed.server)) return undefined
      const account = ensure(phone)
      return account && { account, device: parsed.device }
    },
    nextFreePhone() {
      while (accounts.get(String(nextPhone))?.devices.size) nextPhone++
      return String(nextPhone++)
    },
    clear() {
      accounts.clear()
      phoneOfLid.clear()
      unregistered.clear()
      restricted.clear()
      withoutLid.clear()
      nextPhone = options.firstPhone
    },
  }
}

export function pnJid(account: Account, device = 0): string {
  return userJid(account.phone, 's.whatsapp.net', device)
}

export function lidJid(account: Account, device = 0): string {
  return userJid(account.lid, 'lid', device)
}

/** The name of a device in Signal sessions: the same whether it was written to by number or by LID. */
export function addressOf(account: Account, device: number): string {
  return `${account.phone}.${device}`
}

export function addressOfDevice(device: Device): string {
  return addressOf(device.account, device.number)
}

/** A bundle for a linked device; consumes one of its one-time prekeys. */
export function takeDeviceBundle(device: Device): Bundle {
  const { registrationId, identity, signedPreKey } = device
  const next = device.preKeys.entries().next().value
  if (!next) return { registrationId, identity, signedPreKey }
  device.preKeys.delete(next[0])
  return { registrationId, identity, signedPreKey, preKey: { id: next[0], public: next[1] } }
}
