/** What Redis is known to hold: bytes, or `null` for a field that is known to be absent. */
export type Known = Buffer | null

/** What a known-absent field or an entry's own bookkeeping weighs, roughly. */
const ENTRY_BYTES = 120

/** A cache bounded by bytes that drops the least recently used entry first. */
export interface ReadCache {
  get(field: string): Known | undefined
  set(field: string, value: Known): void
  delete(field: string): void
}

/** See {@link ReadCache}. `maxBytes` bounds what one session may hold in memory, whatever its number of contacts. */
export function createReadCache(maxBytes: number): ReadCache {
  const entries = new Map<string, Known>()
  let bytes = 0

  function remove(field: string): void {
    const value = entries.get(field)
    if (value === undefined) return
    entries.delete(field)
    bytes -= weight(field, value)
  }

  return {
    get(field) {
      const value = entries.get(field)
      if (value === undefined) return undefined
      // A Map iterates in the order of insertion, so the entry that is used moves to its end.
      entries.delete(field)
      entries.set(field, value)
      return value
    },
    set(field, value) {
      remove(field)
      entries.set(field, value)
      bytes += weight(field, value)
      for (const oldest of entries.keys()) {
        if (bytes <= maxBytes) break
        remove(oldest)
      }
    },
    delete: remove,
  }
}

function weight(field: string, value: Known): number {
  return ENTRY_BYTES + field.length + (value?.length ?? 0)
}
