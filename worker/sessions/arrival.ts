/** Lets others wait until a session that is connecting has opened, or has failed to. */
export interface Arrival {
  /** Resolves when it is told, or after the time given. */
  within(timeoutMs: number): Promise<void>
  tell(): void
}

/** An arrival that may be waited for again and again, by any number at a time. */
export function createArrival(): Arrival {
  let next = Promise.withResolvers<void>()
  return {
    async within(timeoutMs) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, timeoutMs)
      await Promise.race([next.promise, promise])
      clearTimeout(timer)
    },
    tell() {
      next.resolve()
      next = Promise.withResolvers()
    },
  }
}
