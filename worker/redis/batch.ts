/** Items on their way to Redis, in their order. */
export interface Batcher<T> {
  /** Sends the item with the next batch; at once when none is on its way. */
  add(item: T): void
  /** What was added and is not sent yet, the batch that is on its way included. */
  readonly waiting: readonly T[]
  /** Resolves when all that was added so far is sent. Never rejects. */
  idle(): Promise<void>
}

/** How items go. */
export interface BatcherOptions<T> {
  /** How many of the items that wait, one at least, go in one batch. */
  together: (waiting: readonly T[]) => number
  /** Sends a batch. Never rejects: it tells those who wait for an item how that went. */
  send: (batch: readonly T[]) => Promise<void>
  /** Called each time when nothing waits any more. */
  onIdle?: () => void
}

/**
 * Sends one batch at a time; what is added meanwhile goes together in the next. So a burst costs few commands however far
 * away Redis is, a single item waits for nobody, and none overtakes another, as one of several commands could when its script
 * has to be loaded first.
 *
 * Two places that look alike are others: the writes of keys (`credentials/write-queue.ts`), where a newer value replaces one
 * that waits, and fenced scripts (`fenced.ts`), which share a command by the turn of the event loop and wait for none.
 */
export function createBatcher<T>({ together, send, onIdle }: BatcherOptions<T>): Batcher<T> {
  const waiting: T[] = []
  let drained: Promise<void> | undefined

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, together(waiting))
      await send(batch)
      waiting.splice(0, batch.length)
    }
    drained = undefined
    onIdle?.()
  }

  return {
    add(item) {
      waiting.push(item)
      drained ??= drain()
    },
    waiting,
    idle: async () => drained,
  }
}

/** Bounds of what goes together. */
export interface Bounds {
  count: number
  bytes: number
}

/** How many of the items, from the first on, keep within the bounds. The first always does, however large it is. */
export function countWithin<T>(items: readonly T[], { count, bytes }: Bounds, sizeOf: (item: T) => number): number {
  let sum = 0
  for (const [i, item] of items.entries()) {
    sum += sizeOf(item)
    if (i === count || (i > 0 && sum > bytes)) return i
  }
  return items.length
}
