import { createRing, type Numbered, type Ring } from './ring.ts'

/** Both clocks: `at` is wall time in ms, `mono` the machine's monotonic clock in ms, comparable across processes. */
export type Stamp = { readonly at: number; readonly mono: number }

/** Kinds of things that the simulator logs. */
export type JournalKind =
  | 'open'
  | 'close'
  | 'pairing'
  | 'linked'
  | 'login'
  | 'refused'
  | 'logout'
  | 'frame'
  /** A frame that came after the server had ended the stream: it had no effect. */
  | 'late'
  | 'ack'
  | 'fault'
  | 'unknown'
  | 'problem'

/** One line of the log. `connection` numbers sockets from 1 in the order in which they were opened. */
export type JournalEntry = Numbered &
  Stamp & {
    readonly kind: JournalKind
    readonly connection?: number
    readonly phone?: string
    readonly device?: number
    readonly tag?: string
    readonly id?: string
    readonly type?: string
    readonly xmlns?: string
    readonly to?: string
    readonly code?: string
    readonly detail?: string
  }

export type Journal = {
  readonly ring: Ring<JournalEntry>
  log(kind: JournalKind, fields?: Omit<JournalEntry, 'index' | 'at' | 'mono' | 'kind'>): JournalEntry
}

export function stamp(): Stamp {
  return { at: Date.now(), mono: Number(process.hrtime.bigint() / 1000n) / 1000 }
}

/** A log of at most `capacity` entries. */
export function createJournal(capacity: number): Journal {
  const ring = createRing<JournalEntry>(capacity)
  return { ring, log: (kind, fields = {}) => ring.append({ ...stamp(), kind, ...fields }) }
}
