import type { Redis } from 'ioredis'

/** What `/readyz` tells. A standby (no partition is its own yet) is ready: it can take over at any moment. */
export interface Readiness {
  ready: boolean
  role: 'owner' | 'standby'
  /** The partitions that are ours now. */
  partitions: number[]
  redis: 'ok' | 'away'
  /** `disabled` after a 410: events are kept, and a restart sends them. Does not make the worker unready. */
  endpoint: string
}

/** What readiness is judged by. Settings were checked before the process came this far. */
export interface ReadinessDeps {
  redis: Redis
  partitions: () => readonly number[]
  endpoint: () => string
  /** How long Redis may take for a PING. Default 1,000. */
  timeoutMs?: number
}

/** Makes the check. Checks at the same time share one PING, so that a Redis that hangs collects no more of them. */
export function createReadiness({ redis, partitions, endpoint, timeoutMs = 1000 }: ReadinessDeps) {
  let asking: Promise<boolean> | undefined

  async function ping(): Promise<boolean> {
    try {
      await redis.ping()
      return true
    } catch {
      return false
    } finally {
      asking = undefined
    }
  }

  async function reachable(): Promise<boolean> {
    // Without this, a client that waits for its Redis would wait here too.
    if (redis.status !== 'ready') return false
    asking ??= ping()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<false>(resolve => {
      timer = setTimeout(() => resolve(false), timeoutMs)
    })
    return Promise.race([asking, late]).finally(() => clearTimeout(timer))
  }

  return async (): Promise<Readiness> => {
    const ready = await reachable()
    const own = [...partitions()].sort((a, b) => a - b)
    return {
      ready,
      role: own.length > 0 ? 'owner' : 'standby',
      partitions: own,
      redis: ready ? 'ok' : 'away',
      endpoint: endpoint(),
    }
  }
}
