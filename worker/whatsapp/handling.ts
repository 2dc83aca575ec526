/** Lets keys and frames pass again that were held back for a message. `stored`: the outbox has the message, or never will. */
export type Open = (stored: boolean) => void

/**
 * One inbound message while Baileys has it: from before its decryption until Baileys emits it, or is done with it otherwise.
 * Meanwhile keys and frames are held back, so that no receipt leaves and no key is stored before the message is.
 */
export interface Handling {
  /**
   * The message is about to be decrypted: begins to hold back. The first id counts; a call with another id, or after the end,
   * does nothing.
   */
  hold(messageId: string): void
  /** Baileys emits the message. The caller now has it, and must call what is returned; undefined for another message. */
  take(messageId: string): Open | undefined
  /** Baileys is done with the message. Lets pass what was held back, unless somebody has taken the message. */
  end(): void
  /** Whether something is held back now, and Baileys still has the message. */
  holds(): boolean
  /** Resolves when Baileys has emitted the message or is done with it; at once when nothing is held back. */
  settled(): Promise<void>
}

/**
 * Longest that Baileys may take from the decryption to the event. Only reads of Redis lie between the two. If Baileys asked
 * WhatsApp something all the same, its question would be held back with the other frames, and never be answered.
 */
const LONGEST_MS = 5000

/**
 * Makes the handling of one message. `shut` begins to hold back and answers how to end that; it is called once at most, and its
 * argument resolves when Baileys has emitted the message or is done with it.
 */
export function createHandling(shut: (settled: Promise<void>) => Open, longestMs = LONGEST_MS): Handling {
  const over = Promise.withResolvers<void>()
  let open: Open | undefined
  let timer: NodeJS.Timeout | undefined
  let id: string | undefined
  let ended = false

  function hold(messageId: string): void {
    if (ended) return
    id ??= messageId
    if (open !== undefined || id !== messageId) return
    open = shut(over.promise)
    timer = setTimeout(end, longestMs).unref()
  }

  function finish(): void {
    ended = true
    clearTimeout(timer)
    over.resolve()
  }

  function end(): void {
    if (ended) return
    finish()
    open?.(true)
  }

  const holds = () => open !== undefined && !ended

  return {
    hold,
    take(messageId) {
      if (ended || id !== messageId) return undefined
      finish()
      return open
    },
    end,
    holds,
    async settled() {
      if (holds()) await over.promise
    },
  }
}
