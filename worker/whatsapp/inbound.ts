import { setTimeout as sleep } from 'node:timers/promises'
import type { WebhookEvent } from '../../shared/events.ts'
import { FencedError } from '../redis/fenced.ts'
import type { SessionContext } from '../sessions/context.ts'
import type { Outbox } from '../types.ts'

/** Most events that wait in memory for Redis; a session with more must stop taking messages from WhatsApp. */
const MAX_WAITING = 2000
const LONGEST_PAUSE_MS = 1000
/** How many messages are remembered so that one that WhatsApp delivers again is not appended again. */
const REMEMBERED = 200

/** An event to append. */
export interface Inbound {
  /** Names the message, for telling repeats. */
  name: string
  event: () => Promise<WebhookEvent>
}

/** The line of one session's events into its outbox, in their order. It outlives sockets. */
export interface InboundLine {
  /**
   * Appends the event after those before it. Resolves true when Redis has it; false when it never will by our hand:
   * the lease is lost, or too many wait already. Never rejects.
   */
  push(inbound: Inbound, session: SessionContext): Promise<boolean>
  /** Resolves when nothing that was pushed so far waits any more. Never rejects. */
  idle(): Promise<void>
}

/**
 * Makes a line. An append that fails is tried again, and everything behind it waits, until it succeeds or the lease is
 * gone; then WhatsApp still has the messages, because their receipts were held back (see follow-inbound.ts).
 */
export function createInboundLine(outbox: Outbox): InboundLine {
  const recent = new Set<string>()
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0

  async function append({ name, event }: Inbound, session: SessionContext): Promise<boolean> {
    const { fence, core, sessionId } = session
    if (recent.has(name)) return true
    for (let pauseMs = 50; !fence.signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        await outbox.append(fence, await event())
        remember(name)
        return true
      } catch (error) {
        if (error instanceof FencedError) return false
        const reason = error instanceof Error ? error.message : 'unknown'
        core.log.warn({ sessionId, reason }, 'an inbound message cannot be stored yet')
        await sleep(pauseMs, undefined, { signal: fence.signal }).catch(() => undefined)
      }
    }
    return false
  }

  function remember(name: string): void {
    recent.add(name)
    for (const oldest of recent) {
      if (recent.size <= REMEMBERED) break
      recent.delete(oldest)
    }
  }

  return {
    async push(inbound, session) {
      if (waiting >= MAX_WAITING) return false
      waiting += 1
      const done = last.then(async () => append(inbound, session)).finally(() => waiting--)
      last = done
      return done
    },
    idle: async () => void (await last),
  }
}
