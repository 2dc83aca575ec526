import type { AuthenticationCreds, SignalDataSet, SignalDataTypeMap } from '@whiskeysockets/baileys'
import type { Place } from './cipher.ts'
import { decodeCreds, decodeValue, encodeValue } from './codec.ts'
import { openHash } from './hash.ts'
import { type HashDeps } from './entry.ts'
import { CREDS } from './names.ts'
import { createReadCache, type Known } from './read-cache.ts'
import { createWriteQueue, fieldOf, type Change } from './write-queue.ts'

/** The identity and Signal keys of one session in Redis, as Baileys' `SignalKeyStore` and a little more. */
export interface Credentials {
  /** The creds, or undefined when the session was never linked. Throws `UnreadableError`. */
  loadCreds(): Promise<AuthenticationCreds | undefined>
  saveCreds(creds: AuthenticationCreds): Promise<void>
  get<T extends keyof SignalDataTypeMap>(type: T, ids: string[]): Promise<{ [id: string]: SignalDataTypeMap[T] }>
  /** Resolves when Redis has all of it, which outlasts an outage of Redis. Throws `FencedError` when the lease is lost; then nothing was written. */
  set(mutations: SignalDataSet): Promise<void>
  /**
   * Lets nothing that is set from now on be stored until the returned function is called. It is read nonetheless. What is
   * set before `whole` resolves is stored in one.
   */
  hold(whole: Promise<void>): () => void
  /** Removes everything and closes. For DELETE_SESSION and a logout from the phone, and nothing else. */
  clear(): Promise<void>
  /**
   * Refuses writes from now on, since a socket that lingers must not write for a session that has moved on. Resolves when
   * those before are written, or never will be: who opens the credentials next must find them.
   */
  close(): Promise<void>
}

/** What the store of a session is made of. */
export interface CredentialsDeps extends HashDeps {
  /** Most bytes of decrypted values to keep in memory. */
  cacheBytes?: number
}

const CACHE_BYTES = 1_000_000

/** Read once in their lives, and there are hundreds of them: not worth memory. */
const UNCACHED = new Set<string>(['pre-key', 'creds'])

/**
 * Opens the credentials of a session. What was set is read back at once, and whoever sends bytes that rest on it waits
 * until it is stored (see `writeAhead`). The cache changes only after Redis has a value: a failed write must not leave it
 * ahead of what is stored.
 */
export function openCredentials(deps: CredentialsDeps, sessionId: string): Credentials {
  const hash = openHash(deps, sessionId)
  const creds: Place = { sessionId, type: CREDS, id: '' }
  const cache = createReadCache(deps.cacheBytes ?? CACHE_BYTES)
  // libsignal reads a session several times a message and changes none it was given, so one object serves them all.
  const sessions = new WeakMap<Buffer, SignalDataTypeMap['session']>()
  const queue = createWriteQueue(write)
  let writes = 0
  let closed = false

  async function put(changes: readonly Change[]): Promise<void> {
    if (closed) throw new Error('the credentials of this session are closed')
    if (changes.length > 0) await queue.add(changes)
  }

  async function write(changes: ReadonlyMap<string, Change>): Promise<void> {
    const news = [...changes]
      .map(([field, change]) => ({ field, place: change.place, value: change.bytes() }))
      .filter(({ field, value }) => !isKnown(cache.get(field), value))
    if (news.length === 0) return
    try {
      await hash.write(news)
    } catch (error) {
      // Whether it was written is unknown when the lease was lost on the way: ask Redis the next time.
      for (const { field } of news) cache.delete(field)
      throw error
    } finally {
      writes += 1
    }
    for (const { field, place, value } of news) remember(field, place, value)
  }

  function remember(field: string, place: Place, value: Known): void {
    if (!UNCACHED.has(place.type)) cache.set(field, value)
  }

  /** The values by field, `null` for what is not there. */
  async function read(places: readonly Place[]): Promise<Map<string, Known>> {
    const early = new Map(places.map(place => [fieldOf(place), knownAt(place)]))
    const missing = places.filter(place => early.get(fieldOf(place)) === undefined)
    const found = new Map<string, Known>()
    if (missing.length > 0) {
      const before = writes
      const values = await hash.read(missing)
      for (const [i, place] of missing.entries()) {
        const value = values[i] ?? null
        found.set(fieldOf(place), value)
        // A write that ended in between has told the cache something newer.
        if (writes === before) remember(fieldOf(place), place, value)
      }
    }
    return new Map(
      [...early].map(([field, known]) => {
        const value = [newest(field), known, found.get(field)].find(each => each !== undefined)
        return [field, value ?? null]
      }),
    )
  }

  function newest(field: string): Known | undefined {
    const change = queue.pending(field)
    return change === undefined ? cache.get(field) : change.bytes()
  }

  function knownAt(place: Place): Known | undefined {
    const kept = newest(fieldOf(place))
    if (kept !== undefined || UNCACHED.has(place.type)) return kept
    return hash.lacks(place) ? null : undefined
  }

  function decode<T extends keyof SignalDataTypeMap>(type: T, bytes: Buffer): SignalDataTypeMap[T] {
    const kept = type === 'session' ? sessions.get(bytes) : undefined
    if (kept !== undefined) return kept as SignalDataTypeMap[T]
    const value = decodeValue(type, bytes)
    if (type === 'session') sessions.set(bytes, value as SignalDataTypeMap['session'])
    return value
  }

  function changeOf(place: Place, value: unknown): Change {
    if (value === null || value === undefined) return { place, bytes: () => null }
    if (place.type !== 'session') {
      const bytes = encodeValue(place.type, value)
      return { place, bytes: () => bytes }
    }
    // libsignal makes a new one for each change, so it need not be written down before it goes to Redis.
    let bytes: Buffer | undefined
    return {
      place,
      session: value as SignalDataTypeMap['session'],
      bytes() {
        if (bytes === undefined) {
          bytes = encodeValue(place.type, value)
          sessions.set(bytes, value as SignalDataTypeMap['session'])
        }
        return bytes
      },
    }
  }

  return {
    async loadCreds() {
      const bytes = (await read([creds])).get(fieldOf(creds))
      return bytes ? decodeCreds(bytes) : undefined
    },

    saveCreds: async value => put([changeOf(creds, value)]),

    async get<T extends keyof SignalDataTypeMap>(type: T, ids: string[]) {
      const places = ids.map(id => ({ sessionId, type, id }))
      const early = places.map(place => queue.pending(fieldOf(place)))
      const stored = await read(places.filter((_, i) => early[i] === undefined))
      const result: { [id: string]: SignalDataTypeMap[T] } = {}
      for (const [i, place] of places.entries()) {
        const change = queue.pending(fieldOf(place)) ?? early[i]
        if (change?.session !== undefined) {
          result[place.id] = change.session as SignalDataTypeMap[T]
          continue
        }
        const bytes = change === undefined ? stored.get(fieldOf(place)) : change.bytes()
        if (bytes) result[place.id] = decode(type, bytes)
      }
      return result
    },

    async set(mutations) {
      const changes = Object.entries(mutations).flatMap(([type, values]) =>
        Object.entries(values ?? {}).map(([id, value]) => changeOf({ sessionId, type, id }, value)),
      )
      return put(changes)
    },

    hold: whole => queue.hold(whole),

    async clear() {
      closed = true
      await queue.ended()
      await hash.remove()
    },

    async close() {
      closed = true
      await queue.ended()
    },
  }
}

function isKnown(cached: Known | undefined, value: Known): boolean {
  if (cached === undefined) return false
  if (cached === null || value === null) return cached === value
  return cached.equals(value)
}
