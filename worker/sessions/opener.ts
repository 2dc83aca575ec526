import { setTimeout as sleep } from 'node:timers/promises'

/** How sessions take turns. */
export interface OpenerDeps {
  /** How many open at the same time. */
  atOnce: number
  /** Longest pause of each before the next, in ms. */
  pauseMs: number
  /** In [0, 1). */
  random(): number
}

/** What a turn is for. */
export interface Opening {
  /** Opens one session and resolves when it has arrived or failed. Never rejects. */
  open(sessionId: string): Promise<void>
  /** Ends it after the sessions that are being opened. */
  signal: AbortSignal
}

/** Opens sessions of a process in turns, some at a time, whichever partition they are of: those that are restored, or just linked. */
export interface Opener {
  /** Opens all of these. Resolves when each has had its turn, or will not have one any more. */
  run(sessionIds: readonly string[], opening: Opening): Promise<void>
  /** Somebody waits for this session: it is next, if it is still waiting for its turn. */
  hurry(sessionId: string): void
}

/**
 * Most of a login is waiting for WhatsApp, a hundred milliseconds and more away, so many go at once. The handshakes
 * themselves take turns on the event loop, 9 ms each, and so many that are ready at one time hold it up for a second:
 * with those of each partition counted alone it was three, and the beat that keeps the leases came too late.
 */
const RESTORING: OpenerDeps = { atOnce: 128, pauseMs: 20, random: Math.random }

/**
 * A session that was just linked makes its 812 pre-keys at its first login, 50 ms and more of CPU in one piece. Fifty that
 * were scanned in one moment held up the beat until the leases were lost, and all of them began anew.
 */
export const LINKING: OpenerDeps = { atOnce: 4, pauseMs: 0, random: Math.random }

interface Turn extends Opening {
  end(): void
}

/** See {@link Opener}. `onEmpty` is told how many were opened each time when nobody has or awaits a turn any more. */
export function createOpener(deps: OpenerDeps = RESTORING, onEmpty?: (opened: number) => void): Opener {
  const waiting = new Map<string, Turn>()
  const urgent = new Set<string>()
  let active = 0
  let opened = 0

  function start(): void {
    while (active < deps.atOnce) {
      const [sessionId] = urgent.size > 0 ? urgent : waiting.keys()
      const turn = sessionId === undefined ? undefined : waiting.get(sessionId)
      if (sessionId === undefined || turn === undefined) return
      urgent.delete(sessionId)
      waiting.delete(sessionId)
      if (turn.signal.aborted) turn.end()
      else void take(sessionId, turn)
    }
  }

  async function take(sessionId: string, turn: Turn): Promise<void> {
    active++
    await turn.open(sessionId)
    turn.end()
    await sleep(deps.random() * deps.pauseMs)
    active--
    opened++
    start()
    if (active > 0) return
    onEmpty?.(opened)
    opened = 0
  }

  return {
    async run(sessionIds, opening) {
      const turns = sessionIds.map(async sessionId => {
        const { promise, resolve: end } = Promise.withResolvers<void>()
        // That of an owner who was fenced meanwhile.
        waiting.get(sessionId)?.end()
        waiting.set(sessionId, { ...opening, end })
        await promise
      })
      start()
      await Promise.all(turns)
    },
    hurry(sessionId) {
      if (waiting.has(sessionId)) urgent.add(sessionId)
    },
  }
}
