/** Something that runs and can be ended. */
export interface Closable {
  close(): Promise<unknown>
}

/**
 * What has been started, ended again in the reverse order. A part that finishes starting after the end was called for
 * is ended at once, so that an interrupt during start-up leaves nothing behind.
 */
export class Scope {
  readonly #abort = new AbortController()
  readonly #starting = new Set<Promise<unknown>>()
  readonly #parts: Closable[] = []

  /** Aborts as soon as the end is called for. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Starts a part that belongs to this scope. */
  async start<T extends Closable>(start: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.signal.throwIfAborted()
    const starting = start(this.signal).then(part => {
      this.#parts.push(part)
      return part
    })
    this.#starting.add(starting)
    try {
      return await starting
    } finally {
      this.#starting.delete(starting)
    }
  }

  /** Ends everything. Later calls wait for the same end. */
  async close(reason: unknown = new Error('the stack is stopping')): Promise<void> {
    this.#abort.abort(reason)
    await Promise.allSettled(this.#starting)
    for (let part = this.#parts.pop(); part !== undefined; part = this.#parts.pop()) {
      // One part that fails to end must not keep the others alive.
      await part.close().catch(() => {})
    }
  }
}
