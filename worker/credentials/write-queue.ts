import type { SignalDataTypeMap } from '@whiskeysockets/baileys'
import type { Place } from './cipher.ts'

/** A field that changes. */
export interface Change {
  place: Place
  /** A Signal session as it was given, which nobody changes any more: writing one down takes long. */
  session?: SignalDataTypeMap['session']
  /** The new value, `null` to remove the field. */
  bytes(): Buffer | null
}

/** Changes on their way to Redis. */
export interface WriteQueue {
  /** Resolves when all of them are written. Of several changes of one field that wait, the last alone is written. */
  add(changes: readonly Change[]): Promise<void>
  /**
   * Lets nothing that is added from now on be written until the returned function is called. What is added before `whole`
   * resolves is written in one.
   */
  hold(whole: Promise<void>): () => void
  /** The newest change of a field that Redis does not have yet. */
  pending(field: string): Change | undefined
  /** Whether nothing is on its way. */
  readonly idle: boolean
  /** Resolves when nothing is on its way any more, written or not. */
  ended(): Promise<void>
}

interface Batch {
  changes: Map<string, Change>
  done: PromiseWithResolvers<void>
}

/**
 * Makes a queue. One `write` runs at a time; whatever is added meanwhile goes together with the next, so a message to many
 * devices, or many messages to one, cost one. A failure is that of its batch alone.
 */
export function createWriteQueue(write: (changes: ReadonlyMap<string, Change>) => Promise<void>): WriteQueue {
  const holds = new Set<{ whole: Promise<void>; released: Promise<void> }>()
  let waiting: Batch | undefined
  let running: Batch | undefined
  let draining = false

  async function drain(): Promise<void> {
    for (let batch = waiting; batch !== undefined; batch = waiting) {
      // Only holds that exist now: one that begins later is for changes that are added later. If this batch waited for those,
      // too, a stream of inbound messages, each with a hold of its own, would keep it from being written for ever.
      await Promise.all([...holds].map(async ({ whole }) => whole))
      waiting = undefined
      running = batch
      await Promise.all([...holds].map(async ({ released }) => released))
      await write(batch.changes).then(batch.done.resolve, batch.done.reject)
    }
    running = undefined
    draining = false
  }

  return {
    async add(changes) {
      waiting ??= { changes: new Map(), done: Promise.withResolvers() }
      for (const change of changes) waiting.changes.set(fieldOf(change.place), change)
      const { promise } = waiting.done
      if (!draining) {
        draining = true
        // After the microtasks, as which the parallel encryptions of one message run, so that they share the write.
        process.nextTick(() => void drain())
      }
      return promise
    },

    hold(whole) {
      const { promise: released, resolve } = Promise.withResolvers<void>()
      const hold = { whole, released }
      holds.add(hold)
      return () => {
        holds.delete(hold)
        resolve()
      }
    },

    pending: field => waiting?.changes.get(field) ?? running?.changes.get(field),

    get idle() {
      return !draining
    },

    async ended() {
      await Promise.allSettled([running?.done.promise, waiting?.done.promise])
    },
  }
}

/** A place's name in the hash of its session. */
export function fieldOf({ type, id }: Place): string {
  return id === '' ? type : `${type}:${id}`
}
