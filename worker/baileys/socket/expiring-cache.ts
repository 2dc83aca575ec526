import type { PossiblyExtendedCacheStore } from '@whiskeysockets/baileys'
import { keepNewest } from '../../keep-newest.ts'

/** How long entries live and how many there may be. */
export interface CacheLimits {
  ttlMs: number
  maxEntries: number
}

/** The caches that Baileys keeps of what it has seen; ours outlive its socket, so that a reconnect forgets nothing. */
export interface SocketCaches {
  /** How often a message was asked for again: a limit that a reconnect must not reset. */
  retries: PossiblyExtendedCacheStore
  /** How often a message was sent again to one that asked for it. */
  answers: PossiblyExtendedCacheStore
  /** Which devices a user has; without it every send asks the server. */
  userDevices: PossiblyExtendedCacheStore
  placeholders: PossiblyExtendedCacheStore
  calls: PossiblyExtendedCacheStore
}

const MINUTE_MS = 60_000

/** New caches for a session, with Baileys' own lifetimes and a bound on each. */
export function createSocketCaches(now: () => number): SocketCaches {
  const cache = (minutes: number, maxEntries: number) =>
    createExpiringCache({ ttlMs: minutes * MINUTE_MS, maxEntries }, now)
  return {
    retries: cache(60, 1000),
    answers: cache(60, 1000),
    userDevices: cache(5, 2000),
    placeholders: cache(60, 1000),
    calls: cache(5, 100),
  }
}

/**
 * A bounded cache in the shape that Baileys expects of all its caches, with its `mset` of `{key, value}` pairs:
 * node-cache's own wants `val`, silently stores nothing, and every send then asks the server for devices again.
 */
export function createExpiringCache({ ttlMs, maxEntries }: CacheLimits, now: () => number): PossiblyExtendedCacheStore {
  const entries = new Map<string, { value: unknown; until: number }>()

  function get(key: string): unknown {
    const entry = entries.get(key)
    if (entry === undefined) return undefined
    if (entry.until > now()) return entry.value
    entries.delete(key)
    return undefined
  }

  function set(key: string, value: unknown): boolean {
    entries.delete(key)
    entries.set(key, { value, until: now() + ttlMs })
    keepNewest(entries, maxEntries)
    return true
  }

  // Baileys' own type: the caller says what it put in.
  const typed = get as PossiblyExtendedCacheStore['get']

  return {
    get: typed,
    set,
    del: key => entries.delete(key),
    flushAll: () => entries.clear(),
    mget: async <T>(keys: string[]) => Object.fromEntries(keys.map(key => [key, get(key) as T | undefined])),
    mset: pairs => pairs.every(({ key, value }) => set(key, value)),
    mdel: keys => keys.every(key => entries.delete(key)),
  }
}
