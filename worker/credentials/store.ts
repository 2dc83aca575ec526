import type { AuthenticationCreds, SignalDataSet, SignalDataTypeMap } from '@whiskeysockets/baileys'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { keys } from '../../shared/keys.ts'
import { persist } from '../redis/persist.ts'
import { fencedScript } from '../redis/fenced.ts'
import type { Fence } from '../types.ts'
import type { Cipher, Place } from './cipher.ts'
import { decodeCreds, decodeValue, encodeValue } from './codec.ts'
import { createReadCache, type Known } from './read-cache.ts'

/** The identity and Signal keys of one session in Redis, as Baileys' `SignalKeyStore` and a little more. */
export interface Credentials {
  /** The creds, or undefined when the session was never linked. Throws `UnreadableError`. */
  loadCreds(): Promise<AuthenticationCreds | undefined>
  saveCreds(creds: AuthenticationCreds): Promise<void>
  get<T extends keyof SignalDataTypeMap>(type: T, ids: string[]): Promise<{ [id: string]: SignalDataTypeMap[T] }>
  /** Resolves when Redis has all of it, which outlasts an outage of Redis. Throws `FencedError` when the lease is lost; then nothing was written. */
  set(mutations: SignalDataSet): Promise<void>
  /** Removes everything and closes. For DELETE_SESSION and a logout from the phone, and nothing else. */
  clear(): Promise<void>
  /** Refuses writes from now on: a socket that lingers must not write for a session that has moved on. */
  close(): void
}

/** What the store of a session is made of. */
export interface CredentialsDeps {
  redis: Redis
  log: Logger
  fence: Fence
  cipher: Cipher
  /** Most bytes of decrypted values to keep in memory. */
  cacheBytes?: number
}

const CACHE_BYTES = 1_000_000
const CREDS: Place = { sessionId: '', type: 'creds', id: '' }

/** Read once in their lives, and there are hundreds of them: not worth memory. */
const UNCACHED = new Set<string>(['pre-key', 'creds'])

// unpack() pushes its values on Lua's stack, which is limited; 1000 is even, so pairs stay together.
const write = fencedScript(`
local last = tonumber(ARGV[1]) + 1
for first = 2, last, 1000 do
  redis.call('HSET', KEYS[1], unpack(ARGV, first, math.min(first + 999, last)))
end
for first = last + 1, #ARGV, 1000 do
  redis.call('HDEL', KEYS[1], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
return 1
`)

const remove = fencedScript(`return redis.call('DEL', KEYS[1])`)

interface Change {
  place: Place
  /** `null` removes the field. */
  value: Known
}

interface Batch {
  changes: Map<string, Change>
  done: PromiseWithResolvers<void>
}

/**
 * Opens the credentials of a session. One fenced script runs at a time; whatever is set meanwhile goes together with
 * the next, so a message to many devices costs one call. A field's cached value changes only after Redis has it: a
 * failed write must not leave the cache ahead of what is stored.
 */
export function openCredentials(deps: CredentialsDeps, sessionId: string): Credentials {
  const { redis, log, fence, cipher } = deps
  const hash = keys.credentials(sessionId)
  const cache = createReadCache(deps.cacheBytes ?? CACHE_BYTES)
  // libsignal reads a session several times a message and changes none it was given, so one object serves them all.
  const sessions = new WeakMap<Buffer, SignalDataTypeMap['session']>()
  // What the hash holds, once it was asked: nobody else writes it while the lease is ours, so a key of a contact that is
  // new need not be asked for. It may name what is gone, but never misses what is there.
  let fields: Set<string> | undefined
  let waiting: Batch | undefined
  let running: Batch | undefined
  let draining = false
  let writes = 0
  let closed = false

  function put(changes: readonly Change[]): Promise<void> {
    if (closed) return Promise.reject(new Error('the credentials of this session are closed'))
    if (changes.length === 0) return Promise.resolve()
    waiting ??= { changes: new Map(), done: Promise.withResolvers() }
    for (const change of changes) waiting.changes.set(fieldOf(change.place), change)
    const { promise } = waiting.done
    if (!draining) {
      draining = true
      // One turn later, so that parallel encryptions of one message, which run as microtasks, share the call.
      setImmediate(() => void drain())
    }
    return promise
  }

  async function drain(): Promise<void> {
    for (let batch = waiting; batch !== undefined; batch = waiting) {
      waiting = undefined
      running = batch
      await commit(batch).then(batch.done.resolve, batch.done.reject)
    }
    running = undefined
    draining = false
  }

  async function commit({ changes }: Batch): Promise<void> {
    const news = [...changes].filter(([field, { value }]) => !isKnown(cache.get(field), value))
    if (news.length === 0) return
    const sets: (string | Buffer)[] = []
    const removals: string[] = []
    for (const [field, { place, value }] of news) {
      if (value === null) removals.push(field)
      else sets.push(field, cipher.encrypt(value, place))
    }
    // Before the write, since whether it was done is unknown when it fails.
    for (const [field, { place, value }] of news) if (value !== null && !UNCACHED.has(place.type)) fields?.add(field)
    try {
      await persist(async () => write.run(redis, fence, [hash], [sets.length, ...sets, ...removals]), fence, log)
    } catch (error) {
      // Whether it was written is unknown when the lease was lost on the way: ask Redis the next time.
      for (const [field] of news) cache.delete(field)
      throw error
    } finally {
      writes += 1
    }
    for (const [field, { place, value }] of news) remember(field, place, value)
  }

  function remember(field: string, place: Place, value: Known): void {
    if (!UNCACHED.has(place.type)) cache.set(field, value)
  }

  async function read(places: readonly Place[]): Promise<Known[]> {
    const names = places.map(fieldOf)
    const known = places.map(knownAt)
    const missing = places.filter((_, i) => known[i] === undefined)
    if (missing.length === 0) return known.map(value => value ?? null)

    const before = writes
    const answers = await persist(async () => redis.hmgetBuffer(hash, ...missing.map(fieldOf)), fence, log)
    const found = new Map<string, Known>()
    for (const [i, place] of missing.entries()) {
      const envelope = answers[i]
      const value = envelope ? cipher.decrypt(envelope, place) : null
      found.set(fieldOf(place), value)
      // A write that ended in between has told the cache something newer.
      if (writes === before) remember(fieldOf(place), place, value)
    }
    return names.map((field, i) => cache.get(field) ?? known[i] ?? found.get(field) ?? null)
  }

  function knownAt(place: Place): Known | undefined {
    const field = fieldOf(place)
    const kept = cache.get(field)
    if (kept !== undefined || fields === undefined || UNCACHED.has(place.type)) return kept
    return fields.has(field) ? undefined : null
  }

  async function survey(): Promise<void> {
    const before = writes
    const found = await persist(async () => redis.hkeys(hash), fence, log)
    // A write that ended in between may have added what this does not name.
    if (writes === before && !draining) fields = new Set(found.filter(field => !field.startsWith('pre-key:')))
  }

  function decode<T extends keyof SignalDataTypeMap>(type: T, bytes: Buffer): SignalDataTypeMap[T] {
    const kept = type === 'session' ? sessions.get(bytes) : undefined
    if (kept !== undefined) return kept as SignalDataTypeMap[T]
    const value = decodeValue(type, bytes)
    if (type === 'session') sessions.set(bytes, value as SignalDataTypeMap['session'])
    return value
  }

  const placeOf = (type: string, id: string): Place => ({ sessionId, type, id })

  return {
    async loadCreds() {
      const [bytes] = await read([{ ...CREDS, sessionId }])
      await survey()
      return bytes ? decodeCreds(bytes) : undefined
    },

    saveCreds: creds => put([{ place: { ...CREDS, sessionId }, value: encodeValue('creds', creds) }]),

    async get<T extends keyof SignalDataTypeMap>(type: T, ids: string[]) {
      const values = await read(ids.map(id => placeOf(type, id)))
      const result: { [id: string]: SignalDataTypeMap[T] } = {}
      for (const [i, id] of ids.entries()) {
        const bytes = values[i]
        if (bytes) result[id] = decode(type, bytes)
      }
      return result
    },

    set(mutations) {
      const changes: Change[] = []
      for (const [type, values] of Object.entries(mutations)) {
        for (const [id, value] of Object.entries(values ?? {})) {
          const bytes = value === null || value === undefined ? null : encodeValue(type, value)
          if (type === 'session' && bytes) sessions.set(bytes, value as SignalDataTypeMap['session'])
          changes.push({ place: placeOf(type, id), value: bytes })
        }
      }
      return put(changes)
    },

    async clear() {
      closed = true
      await Promise.allSettled([running?.done.promise, waiting?.done.promise])
      await persist(async () => remove.run(redis, fence, [hash], []), fence, log)
    },

    close() {
      closed = true
    },
  }
}

function fieldOf({ type, id }: Place): string {
  return id === '' ? type : `${type}:${id}`
}

function isKnown(cached: Known | undefined, value: Known): boolean {
  if (cached === undefined) return false
  if (cached === null || value === null) return cached === value
  return cached.equals(value)
}
