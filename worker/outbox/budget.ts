import type { Fence } from '../ownership/fence.ts'

/** Most bytes of events that may await delivery: of one session, and of one partition. */
export interface BudgetSizes {
  session: number
  partition: number
}

/**
 * What awaits delivery, in bytes, and whether more may come in. A receiver that is down for a week must not fill Redis with
 * what strangers write: above the budget, sessions leave their messages at WhatsApp. One for each process.
 */
export interface Budget {
  /** Redis said under this lease that so many bytes of the session's events await delivery. */
  told(fence: Fence, sessionId: string, bytes: number): void
  /** Nothing more of the session may come in. */
  isFull(fence: Fence, sessionId: string): boolean
  /**
   * Resolves when there is room again: well below the budget, so that sessions do not come and go with each event. Also
   * when the signal aborts or the lease is lost.
   */
  room(fence: Fence, sessionId: string, signal: AbortSignal): Promise<void>
  /** Bytes that await delivery in the partition. */
  bytes(fence: Fence): number
}

/** Part of the budget below which there is room again. */
const ROOM = 0.5

/** What is known of one lease. */
interface Ledger {
  epoch: number
  total: number
  sessions: Map<string, number>
  waiting: Set<{ sessionId: string; resolve: () => void }>
}

/** See {@link Budget}. */
export function createBudget(sizes: BudgetSizes): Budget {
  const ledgers = new Map<number, Ledger>()

  /** Undefined for a lease that is lost: what its commands still answer counts for nobody. */
  function ledgerOf({ partition, epoch, signal }: Fence): Ledger | undefined {
    const known = ledgers.get(partition)
    if (known !== undefined && known.epoch >= epoch) return known.epoch === epoch ? known : undefined
    if (signal.aborted) return undefined
    const ledger: Ledger = { epoch, total: 0, sessions: new Map(), waiting: new Set() }
    ledgers.set(partition, ledger)
    const end = (): void => {
      if (ledgers.get(partition) === ledger) ledgers.delete(partition)
      for (const { resolve } of ledger.waiting) resolve()
    }
    signal.addEventListener('abort', end, { once: true })
    return ledger
  }

  const exceeds = (ledger: Ledger, sessionId: string, part: number): boolean =>
    (ledger.sessions.get(sessionId) ?? 0) >= sizes.session * part || ledger.total >= sizes.partition * part

  return {
    told(fence, sessionId, bytes) {
      const ledger = ledgerOf(fence)
      if (ledger === undefined) return
      ledger.total += bytes - (ledger.sessions.get(sessionId) ?? 0)
      if (bytes > 0) ledger.sessions.set(sessionId, bytes)
      else ledger.sessions.delete(sessionId)
      for (const waiter of ledger.waiting) {
        if (exceeds(ledger, waiter.sessionId, ROOM)) continue
        ledger.waiting.delete(waiter)
        waiter.resolve()
      }
    },

    isFull(fence, sessionId) {
      const ledger = ledgerOf(fence)
      return ledger !== undefined && exceeds(ledger, sessionId, 1)
    },

    async room(fence, sessionId, signal) {
      const ledger = ledgerOf(fence)
      if (ledger === undefined || signal.aborted || !exceeds(ledger, sessionId, ROOM)) return
      await new Promise<void>(resolve => {
        const waiter = {
          sessionId,
          resolve() {
            signal.removeEventListener('abort', leave)
            resolve()
          },
        }
        const leave = (): void => {
          ledger.waiting.delete(waiter)
          resolve()
        }
        ledger.waiting.add(waiter)
        signal.addEventListener('abort', leave, { once: true })
      })
    },

    bytes: fence => ledgerOf(fence)?.total ?? 0,
  }
}
