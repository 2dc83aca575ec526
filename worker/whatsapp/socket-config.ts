import { Browsers, proto, type GroupMetadata, type SocketConfig, type WAVersion } from '@whiskeysockets/baileys'
import type { GetMessage } from './retries.ts'
import type { SocketCaches } from '../baileys/socket/expiring-cache.ts'

/** How sockets of this process reach WhatsApp. */
export interface SocketSettings {
  /** Default: WhatsApp's own. */
  url?: string
  /** The version of WhatsApp Web to say, asked for each socket. Default: the one built into Baileys. */
  version?: () => WAVersion
  /** When the data of this Redis began, or went back to an older copy, in ms; see `writeAhead`. */
  dataSince?: () => number
  /** The simulator's root key, 32 bytes. Honoured only with a loopback `url`. */
  noiseRootKey?: Uint8Array
  /** How long each QR is shown, in ms. Default: a minute for the first and 20 s for each of the others. */
  qrMs?: number
  /** How long connecting may take, the Noise handshake included, in ms. Default: 20 s. */
  handshakeMs?: number
  /** An undici dispatcher for media up and down, such as one that trusts the simulator's certificate. */
  dispatcher?: unknown
}

/** What a socket takes from its session. */
export interface ConfigParts {
  caches: SocketCaches
  getMessage: GetMessage
  groupMetadata: (jid: string) => Promise<GroupMetadata | undefined>
}

const { HistorySyncType } = proto.HistorySync

/** What brings LID mappings, push names and the first app state; years of old messages are left on the phone. */
const WANTED_HISTORY = new Set<unknown>([
  HistorySyncType.INITIAL_BOOTSTRAP,
  HistorySyncType.RECENT,
  HistorySyncType.PUSH_NAME,
  HistorySyncType.NON_BLOCKING_DATA,
])

/** What Baileys is told of a socket, its keys aside. */
export function configOf(settings: SocketSettings, options: ConfigParts): Partial<SocketConfig> {
  const { url, version, qrMs, dispatcher } = settings
  const { caches } = options
  return {
    // WhatsApp checks the name that goes with a pairing code against the browsers it knows.
    browser: Browsers.ubuntu('Chrome'),
    markOnlineOnConnect: false,
    syncFullHistory: false,
    shouldSyncHistoryMessage: ({ syncType }) => WANTED_HISTORY.has(syncType),
    getMessage: options.getMessage,
    cachedGroupMetadata: options.groupMetadata,
    msgRetryCounterCache: caches.retries,
    userDevicesCache: caches.userDevices,
    placeholderResendCache: caches.placeholders,
    callOfferCache: caches.calls,
    // Baileys waits so long before it asks for what it could not decrypt, and no other message is read meanwhile: a hundred
    // such stanzas of a stranger held up the texts of all others for 25 s.
    retryRequestDelayMs: 0,
    // See `limitHandshake`.
    connectTimeoutMs: 0,
    // See `limitQueries`.
    defaultQueryTimeoutMs: undefined,
    // ioredis itself waits for Redis to come back; more attempts than these would only hold Baileys' locks.
    transactionOpts: { maxCommitRetries: 3, delayBetweenTriesMs: 200 },
    ...(url !== undefined && { waWebSocketUrl: url }),
    ...(version !== undefined && { version: version() }),
    ...(qrMs !== undefined && { qrTimeout: qrMs }),
    ...(dispatcher !== undefined && { fetchAgent: dispatcher as never, options: { dispatcher } as RequestInit }),
  }
}
