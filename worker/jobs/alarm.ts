/** A sleep that others can end. */
export interface Alarm {
  /** Ends the sleep, or the next one when nobody sleeps now. */
  ring(): void
  /** Resolves after `ms`, when it rings, or when the signal aborts. For one sleeper at a time. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

/** See {@link Alarm}. */
export function createAlarm(): Alarm {
  let rung = false
  let wakeUp = () => {}

  return {
    ring() {
      rung = true
      wakeUp()
    },
    async sleep(ms, signal) {
      if (!rung && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>()
        const end = () => resolve()
        wakeUp = end
        const timer = setTimeout(end, ms)
        signal.addEventListener('abort', end, { once: true })
        await promise
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
      }
      rung = false
    },
  }
}
