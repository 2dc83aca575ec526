import type { Connections } from '../redis/connections.ts'

/** What `/readyz` tells. A standby (no partition is its own yet) is ready: it can take over at any moment. */
export interface Readiness {
  ready: boolean
  role: 'owner' | 'standby'
  /** The partitions that are ours now. */
  partitions: number[]
  /** `away` when a connection does not answer, or the last beat was not answered: nobody can say then who owns what. */
  redis: 'ok' | 'away'
  /** The connections that do not answer, and `beat`. */
  unanswered: string[]
  /** Loops that fail again and again. */
  failing: string[]
  /** `disabled` after a 410: events are kept, and it is asked again. Does not make the worker unready. */
  endpoint: string
}

/** What readiness is judged by. Settings were checked before the process came this far. */
export interface ReadinessDeps {
  connections: Pick<Connections, 'unanswered'>
  /** Whether Redis answered the last beat. */
  beating: () => boolean
  partitions: () => readonly number[]
  failing: () => readonly string[]
  endpoint: () => string
  /** How long Redis may take for a PING. Default 1,000. */
  timeoutMs?: number
}

/** Makes the check. */
export function createReadiness(deps: ReadinessDeps): () => Promise<Readiness> {
  const { connections, beating, timeoutMs = 1000 } = deps
  return async () => {
    const unanswered = [...(await connections.unanswered(timeoutMs)), ...(beating() ? [] : ['beat'])]
    const failing = [...deps.failing()]
    const own = [...deps.partitions()].sort((a, b) => a - b)
    return {
      ready: unanswered.length === 0 && failing.length === 0,
      role: own.length > 0 ? 'owner' : 'standby',
      partitions: own,
      redis: unanswered.length === 0 ? 'ok' : 'away',
      unanswered: [...new Set(unanswered)].sort(),
      failing,
      endpoint: deps.endpoint(),
    }
  }
}
