/** Opens what was shut for a message; `stored` unless it never will be. */
export type Open = (stored: boolean) => void

/** A message in Baileys' hands: from before its decryption until it is emitted, or is not. */
export interface Handling {
  /** Shuts what is to be shut while the message is neither stored nor given up. Does nothing after the end. */
  hold(): void
  /** Its id, as soon as it could be read; holds, too. */
  read(messageId: string): void
  /** The message is emitted. Whoever takes it opens; undefined when it is another message. */
  take(messageId: string): Open | undefined
  /** There is no more to come of the message. Opens, unless it was taken. */
  end(): void
  /** Resolves when the message is emitted or has ended; at once when nothing is shut for it. */
  settled(): Promise<void>
}

/** Makes one. `shut` is called once at most. */
export function createHandling(shut: () => Open): Handling {
  const over = Promise.withResolvers<void>()
  let open: Open | undefined
  let id: string | undefined
  let ended = false

  function hold(): void {
    if (!ended) open ??= shut()
  }

  function finish(): void {
    ended = true
    over.resolve()
  }

  return {
    hold,
    read(messageId) {
      hold()
      if (!ended) id = messageId
    },
    take(messageId) {
      if (ended || id !== messageId) return undefined
      finish()
      return open
    },
    end() {
      if (ended) return
      finish()
      open?.(true)
    },
    async settled() {
      if (open !== undefined && !ended) await over.promise
    },
  }
}
