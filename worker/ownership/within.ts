import { setTimeout as sleep } from 'node:timers/promises'

/** What `work` resolves with, if it does so within `ms`; else `onLate` is called and it rejects. */
export async function within<T>(work: Promise<T>, ms: number, onLate: () => void = () => {}): Promise<T> {
  const timeout = new AbortController()
  const late = sleep(ms, undefined, { signal: timeout.signal }).then(() => {
    onLate()
    throw new Error(`no answer within ${ms} ms`)
  })
  late.catch(() => undefined)
  try {
    return await Promise.race([work, late])
  } finally {
    timeout.abort()
    work.catch(() => undefined)
  }
}
