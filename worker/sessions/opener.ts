import { setTimeout as sleep } from 'node:timers/promises'

/** How restored sessions are opened. */
export interface OpenerDeps {
  /** Opens one session and resolves when it has arrived or failed. Never rejects. */
  open(sessionId: string): Promise<void>
  /** How many open at the same time. */
  atOnce: number
  /** Longest pause of each before the next, in ms. */
  pauseMs: number
  /** In [0, 1). */
  random(): number
  /** Ends it after the sessions that are being opened. */
  signal: AbortSignal
}

/** Opens sessions some at a time. */
export interface Opener {
  /** Opens all of these. Resolves when each has had its turn. */
  run(sessionIds: readonly string[]): Promise<void>
  /** Somebody waits for this session: it is next, if it is still waiting for its turn. */
  hurry(sessionId: string): void
}

/** Makes the opener of a partition's restored sessions. */
export function createOpener(deps: OpenerDeps): Opener {
  const waiting = new Set<string>()
  const urgent = new Set<string>()

  function next(): string | undefined {
    const [sessionId] = urgent.size > 0 ? urgent : waiting
    if (sessionId === undefined || deps.signal.aborted) return undefined
    urgent.delete(sessionId)
    waiting.delete(sessionId)
    return sessionId
  }

  async function worker(): Promise<void> {
    for (let sessionId = next(); sessionId !== undefined; sessionId = next()) {
      await deps.open(sessionId)
      await sleep(deps.random() * deps.pauseMs)
    }
  }

  return {
    async run(sessionIds) {
      for (const sessionId of sessionIds) waiting.add(sessionId)
      await Promise.all(Array.from({ length: deps.atOnce }, worker))
    },
    hurry(sessionId) {
      if (waiting.has(sessionId)) urgent.add(sessionId)
    },
  }
}
