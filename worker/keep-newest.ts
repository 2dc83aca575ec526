/** Removes what is oldest, by the order of insertion, until there are no more than `most`. */
export function keepNewest<K>(entries: Set<K> | Map<K, unknown>, most: number): void {
  for (const oldest of entries.keys()) {
    if (entries.size <= most) break
    entries.delete(oldest)
  }
}
