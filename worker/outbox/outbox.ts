import type { UpdateEvent, WebhookEvent } from '../../shared/events.ts'
import type { SessionView } from '../../shared/session.ts'
import type { Fence } from '../ownership/fence.ts'

/**
 * How many of a session's messages from WhatsApp are remembered, to know one that comes again. That happens to those
 * whose receipt was cut off, which are the last ones: on their way to WhatsApp, or among the `MOST_IN_FLIGHT`.
 */
export const REMEMBERED = 1000

/** What belongs to an event. */
export interface Along {
  /** The session's view; the whole hash is replaced. */
  view?: SessionView
  /** Names the message from WhatsApp that the event tells of. */
  received?: string
}

/** Where events go. */
export interface Outbox {
  /**
   * Appends the event to the session's outbox and, in the same fenced script, writes what is given with it. Resolves with
   * the event's seq once Redis has it. Throws `FencedError`.
   */
  append(fence: Fence, event: WebhookEvent | UpdateEvent, along?: Along): Promise<number>
  /** The newest of the `received` of the session's events. */
  received(fence: Fence, sessionId: string): Promise<string[]>
  /**
   * Marks the session as deleted: its view is gone at once, and its outbox goes when the last event is delivered. A
   * later `append` for the same session takes the mark back.
   */
  deleteAfterDelivery(fence: Fence, sessionId: string): Promise<void>
}
