import type { Clock } from '../core.ts'
import type { Gate } from './gate.ts'

/**
 * How a session's turn ended. `again`: more to do now. `done`: nothing awaits delivery up to `seq`. `sleep`: its event
 * failed and is due again at `until` (ms); `asked` when the receiver named that time itself.
 */
export type Rest = { kind: 'again' } | { kind: 'done'; seq: number } | { kind: 'sleep'; until: number; asked: boolean }

/** Which sessions have their turn, and when. Knows nothing of events. */
export interface Rounds {
  /** There is an event with this seq. Does not end a sleep. */
  ring(sessionId: string, seq: number): void
  /** Gives the session its turn as soon as possible, asleep or not. */
  wake(sessionId: string): void
  /** Lets the session sleep until `at` (ms), unless it is known already. */
  sleep(sessionId: string, at: number): void
  /** Starts no further turn; resolves when those under way have ended. */
  stop(): Promise<void>
}

/** What the rounds are made of. A turn starts after `gate.enter` answered 0, and must not reject. */
export interface RoundsDeps {
  clock: Clock
  gate: Gate
  /** Turns at the same time. A receiver that is slow for some sessions holds so many places at most. */
  concurrency: number
  turn: (sessionId: string) => Promise<Rest>
}

interface Line {
  state: 'due' | 'busy' | 'asleep'
  /** Newest seq that is known of. */
  seq: number
  /** Woken meanwhile: a turn that is under way may have read before the change, only another one is sure to see it. */
  again: boolean
  /** A deleted session's outbox that comes back counts from 1 again, so that `seq` cannot tell what a turn has seen. */
  restarted: boolean
  asked: boolean
  timer?: NodeJS.Timeout
}

/** setTimeout takes 31 bits; a longer sleep is slept in pieces. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Gives sessions their turns: first come, first served, one turn a session, `concurrency` at once. */
export function createRounds({ clock, gate, concurrency, turn }: RoundsDeps): Rounds {
  const lines = new Map<string, Line>()
  const due = new Set<string>()
  let busy = 0
  let stopped: (() => void) | undefined
  let gateTimer: NodeJS.Timeout | undefined

  const unlisten = gate.onChange(state => {
    // The endpoint is back: whoever waits because of its failure need not wait for hours more.
    if (state === 'up')
      for (const [sessionId, line] of lines) if (line.state === 'asleep' && !line.asked) ready(sessionId, line)
    pump()
  })

  function ready(sessionId: string, line: Line): void {
    clearTimeout(line.timer)
    line.state = 'due'
    due.add(sessionId)
  }

  function rest(sessionId: string, line: Line, until: number, asked: boolean): void {
    clearTimeout(line.timer)
    // Last in the map: those that slept longest come first.
    lines.delete(sessionId)
    lines.set(sessionId, line)
    line.state = 'asleep'
    line.asked = asked
    const ms = Math.min(Math.max(0, until - clock.now()), LONGEST_TIMER_MS)
    line.timer = setTimeout(() => {
      ready(sessionId, line)
      pump()
    }, ms)
  }

  function pump(): void {
    clearTimeout(gateTimer)
    if (stopped !== undefined) return
    while (busy < concurrency) {
      const sessionId = next()
      if (sessionId === undefined) return
      const wait = gate.enter(clock.now())
      if (wait > 0) {
        if (wait !== Infinity) gateTimer = setTimeout(pump, wait)
        return
      }
      due.delete(sessionId)
      void run(sessionId)
    }
  }

  /** Who is next: the first that is due. If nobody is, the endpoint is probed with whoever slept longest. */
  function next(): string | undefined {
    for (const sessionId of due) return sessionId
    if (gate.state() !== 'down') return undefined
    for (const [sessionId, line] of lines) if (line.state === 'asleep' && !line.asked) return sessionId
    return undefined
  }

  async function run(sessionId: string): Promise<void> {
    const line = lineOf(sessionId)
    clearTimeout(line.timer)
    line.state = 'busy'
    line.again = false
    line.restarted = false
    busy++
    const result = await turn(sessionId)
    busy--
    if (stopped !== undefined) return busy === 0 ? stopped() : undefined
    if (result.kind === 'sleep' && !line.again) rest(sessionId, line, result.until, result.asked)
    else if (result.kind === 'done' && result.seq >= line.seq && !line.again && !line.restarted) lines.delete(sessionId)
    else ready(sessionId, line)
    pump()
  }

  function lineOf(sessionId: string): Line {
    const known = lines.get(sessionId)
    if (known !== undefined) return known
    const line: Line = { state: 'asleep', seq: 0, again: false, restarted: false, asked: false }
    lines.set(sessionId, line)
    return line
  }

  return {
    ring(sessionId, seq) {
      const known = lines.has(sessionId)
      const line = lineOf(sessionId)
      line.restarted ||= seq <= line.seq
      line.seq = seq
      if (known) return
      ready(sessionId, line)
      pump()
    },
    wake(sessionId) {
      const line = lineOf(sessionId)
      line.again = true
      if (line.state === 'asleep') ready(sessionId, line)
      pump()
    },
    sleep(sessionId, at) {
      if (!lines.has(sessionId)) rest(sessionId, lineOf(sessionId), at, false)
    },
    async stop() {
      unlisten()
      clearTimeout(gateTimer)
      for (const { timer } of lines.values()) clearTimeout(timer)
      await new Promise<void>(resolve => {
        stopped = resolve
        if (busy === 0) resolve()
      })
    },
  }
}
