import { setTimeout as sleep } from 'node:timers/promises'

type NotYet = undefined | null | false

/**
 * Asks `probe` again and again until it answers something other than undefined, null or false, and returns that. Throws with
 * `what` after `timeoutMs`, with the last error of the probe as its cause; an error is only a "not yet".
 */
export async function until<T>(
  what: string,
  probe: () => Promise<NotYet | T> | NotYet | T,
  { timeoutMs = 20_000, everyMs = 25, signal }: { timeoutMs?: number; everyMs?: number; signal?: AbortSignal } = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  let cause: unknown
  for (;;) {
    signal?.throwIfAborted()
    try {
      const answer = await probe()
      if (answer !== undefined && answer !== null && answer !== false) return answer
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`, { cause })
    await sleep(everyMs, undefined, signal === undefined ? {} : { signal })
  }
}
