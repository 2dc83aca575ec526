import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Why a file was not decoded. `unreadable`: the decoder said so. `stopped`: it took too long or too much memory. */
export class DecodeError extends Error {
  readonly reason: 'unreadable' | 'stopped' | 'no-ffmpeg'

  constructor(reason: DecodeError['reason']) {
    super(`media not decoded: ${reason}`)
    this.name = 'DecodeError'
    this.reason = reason
  }
}

/** What a process may take for one file. */
export interface Limits {
  deadlineMs: number
  rssBytes: number
}

const WATCH_MS = 20
const PAGE_BYTES = 4096

/**
 * Waits for `work`, which a process does. Kills the process by `kill` and rejects with {@link DecodeError} when it takes
 * more than it may, and with the signal's reason when that aborts.
 */
export async function limited<T>(
  child: ChildProcess,
  { deadlineMs, rssBytes }: Limits,
  signal: AbortSignal,
  work: Promise<T>,
  kill: () => void,
): Promise<T> {
  const { promise: ended, reject } = Promise.withResolvers<never>()
  const give = (error: unknown) => {
    kill()
    reject(error)
  }
  const stop = () => give(new DecodeError('stopped'))
  const onAbort = () => give(signal.reason)
  const deadline = setTimeout(stop, deadlineMs)
  const watch = setInterval(() => rssOf(child.pid) > rssBytes && stop(), WATCH_MS)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, ended])
  } finally {
    clearTimeout(deadline)
    clearInterval(watch)
    signal.removeEventListener('abort', onAbort)
  }
}

/** Bytes of memory that a process has now; 0 where that cannot be read, and then limits of its own have to do. */
function rssOf(pid: number | undefined): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * PAGE_BYTES
  } catch {
    return 0
  }
}
