import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'

/** The worker could not work for so long that it ends. The message is one line that says why. */
export class Unable extends Error {
  constructor(reason: string, minutes: number) {
    super(`could not work for ${minutes} minutes (${reason}): ends, to be started again`)
    this.name = 'Unable'
  }
}

/** What is watched. */
export interface AbleDeps {
  log: Logger
  /** Why the worker cannot work now; undefined while it can. */
  trouble: () => string | undefined
  everyMs?: number
  limitMs?: number
}

const EVERY_MS = 5000
/**
 * Redis at a provider is away for a minute or two when it moves or grows, and everything reconnects by itself. Whoever is
 * away for longer than this may be us: a host without its network, or a client that is beyond mending. Hosts such as
 * Fly.io restart nothing whose checks fail, but do start again what has ended, and give up after ten times in 5 minutes.
 */
const LIMIT_MS = 5 * 60_000

/**
 * Watches whether the worker can work. Rejects with {@link Unable} once it could not at any look for as long as the limit.
 * Looks are counted, not time: a process that was frozen has had no chance. Never resolves before the signal aborts.
 */
export async function staysAble(deps: AbleDeps, signal: AbortSignal): Promise<void> {
  const { log, trouble, everyMs = EVERY_MS, limitMs = LIMIT_MS } = deps
  for (let failed = 0; !signal.aborted;) {
    await sleep(everyMs, undefined, { signal }).catch(() => undefined)
    const reason = trouble()
    failed = reason === undefined ? 0 : failed + 1
    if (reason === undefined) continue
    if (failed * everyMs >= limitMs) throw new Unable(reason, Math.round(limitMs / 60_000))
    if (failed % 12 === 0) log.error({ reason, endsAfterMs: limitMs - failed * everyMs }, 'worker cannot work')
  }
}
