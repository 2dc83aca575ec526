/** A numbered record: `index` starts at 1 and never repeats within a run. */
export type Numbered = { readonly index: number }

/** What readers may ask for. */
export type Query<T> = {
  /** Only entries with a greater index; 0 reads from the oldest kept. */
  readonly since?: number
  readonly limit?: number
  readonly matches?: (entry: T) => boolean
}

/** A bounded list whose oldest entries fall out, with waiting readers. */
export type Ring<T extends Numbered> = {
  append(entry: Omit<T, 'index'>): T
  read(query: Query<T>): T[]
  /** Resolves as soon as at least `count` entries match, or with fewer after `timeoutMs`. */
  wait(query: Query<T>, count: number, timeoutMs: number): Promise<T[]>
  clear(): void
  readonly lastIndex: number
  /** How many entries fell out: a reader that started below sees a gap. */
  readonly dropped: number
}

/** Makes a ring of at most `capacity` entries. */
export function createRing<T extends Numbered>(capacity: number): Ring<T> {
  let entries: T[] = []
  let lastIndex = 0
  let dropped = 0
  const readers = new Set<() => void>()

  const ring: Ring<T> = {
    append(entry) {
      const numbered = { ...entry, index: ++lastIndex } as T
      entries.push(numbered)
      // Trims in blocks: shifting one entry at a time would cost O(capacity) per message.
      if (entries.length >= capacity * 1.25) {
        dropped += entries.length - capacity
        entries = entries.slice(-capacity)
      }
      for (const check of readers) check()
      return numbered
    },
    read({ since = 0, limit = 1000, matches }) {
      const first = entries[0]?.index ?? 1
      const found: T[] = []
      for (let at = Math.max(0, since + 1 - first); at < entries.length && found.length < limit; at++) {
        const entry = entries[at]
        if (entry && (!matches || matches(entry))) found.push(entry)
      }
      return found
    },
    wait(query, count, timeoutMs) {
      return new Promise(resolve => {
        const all = { ...query, limit: Math.max(count, query.limit ?? 1000) }
        let missing = count - ring.read(all).length
        let seen = lastIndex
        const finish = (): void => {
          clearTimeout(timer)
          readers.delete(check)
          resolve(ring.read(all))
        }
        const check = (): void => {
          if (missing > 0) missing -= ring.read({ ...all, since: Math.max(seen, query.since ?? 0) }).length
          seen = lastIndex
          if (missing <= 0) finish()
        }
        const timer = setTimeout(finish, timeoutMs)
        readers.add(check)
        check()
      })
    },
    clear() {
      entries = []
    },
    get lastIndex() {
      return lastIndex
    },
    get dropped() {
      return dropped
    },
  }
  return ring
}
