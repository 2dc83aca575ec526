/** Opens what was shut for a message; `stored` unless it never will be. */
export type Open = (stored: boolean) => void

/** A message in Baileys' hands: from before its decryption until it is emitted, or is not. */
export interface Handling {
  /**
   * Shuts what is to be shut while the message is neither stored nor given up. The first id is the message's; with another,
   * or after the end, it does nothing.
   */
  hold(messageId: string): void
  /** The message is emitted. Whoever takes it opens; undefined when it is another message. */
  take(messageId: string): Open | undefined
  /** There is no more to come of the message. Opens, unless it was taken. */
  end(): void
  /** Whether something is shut for a message that is neither emitted nor given up. */
  holds(): boolean
  /** Resolves when the message is emitted or has ended; at once when nothing is shut for it. */
  settled(): Promise<void>
}

/**
 * Longest that Baileys may take from the decryption to the event. Nothing but reads of Redis stands between the two: if
 * it waits for WhatsApp all the same, whatever it has asked stands behind what we have shut.
 */
const LONGEST_MS = 5000

/** Makes one. `shut` is called once at most, and is told when the message is emitted or has ended. */
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
