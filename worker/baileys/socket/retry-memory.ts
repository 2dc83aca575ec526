import type { WASocket } from '@whiskeysockets/baileys'
import { createExpiringCache } from './expiring-cache.ts'

const MINUTE_MS = 60_000

/**
 * Has Baileys keep nothing of what it sends: it would answer from that before it asks `getMessage`, and
 * whoever asks in a group, a member or not. What it keeps of those who ask gets a bound and no timers, since strangers make
 * it grow; its own lists of fixed length are 70 KB a socket, used or not.
 */
export function lightenRetries({ messageRetryManager }: Pick<WASocket, 'messageRetryManager'>): void {
  if (!messageRetryManager) return
  Object.assign(messageRetryManager, {
    addRecentMessage: () => {},
    recentMessagesMap: new Map(),
    baseKeys: boundedMap(15 * MINUTE_MS),
    retryCounters: boundedMap(15 * MINUTE_MS),
    sessionRecreateHistory: boundedMap(120 * MINUTE_MS),
  })
}

/** What Baileys uses of an `LRUCache` (message-retry-manager.js), with Baileys' own lifetimes. */
function boundedMap(ttlMs: number) {
  const cache = createExpiringCache({ ttlMs, maxEntries: 1000 }, () => performance.now())
  return {
    get: (key: string) => cache.get(key),
    set: (key: string, value: unknown) => cache.set(key, value),
    delete: (key: string) => cache.del(key),
    clear: () => cache.flushAll(),
  }
}
