import type { Received } from '../../dev/simulator/received.ts'
import type { Accepted, Verdict } from './check.ts'

/** One measured figure beside what it must not exceed. */
export interface Figure {
  name: string
  value: number
  limit: number
  unit?: 'ms'
}

/** What a scenario found. `evidence` holds the judge's lines behind figures that are not as they should be. */
export interface Outcome {
  fault: string
  /** What was done, in numbers. */
  done: string
  figures: Figure[]
  evidence: string[]
}

/** The five promises about sends as figures that must be 0. */
export function verdictFigures(verdict: Verdict): Pick<Outcome, 'figures' | 'evidence'> {
  const names = {
    lost: 'lost jobs',
    secondIds: 'second message ids',
    inversions: 'order inversions',
    overlaps: 'socket overlaps',
    counterReuse: 'Signal counter reuse',
  } as const
  const figures = (Object.keys(names) as (keyof Verdict)[]).map(key => zero(names[key], verdict[key].length))
  return { figures, evidence: Object.values(verdict).flatMap(lines => (lines as string[]).slice(0, 5)) }
}

/** A figure that must be 0. */
export function zero(name: string, value: number): Figure {
  return { name, value, limit: 0 }
}

/** Whether a figure is within its limit. */
export function holds({ value, limit }: Figure): boolean {
  return value <= limit
}

/** The value below which a share `q` (0 to 1) of the values lies; 0 for none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * q) - 1)] ?? 0
}

/** A moment at which some sessions lost their worker. */
export interface Strike {
  /** Wall clock, ms. */
  at: number
  sessions: readonly string[]
}

/**
 * From each strike to the next text of each session it hit, in ms, for sessions that had an accepted text outstanding
 * at that moment (a session with nothing to send is not late). A session that is struck again before it has sent
 * counts from the last strike.
 */
export function recoveryTimes(
  strikes: readonly Strike[],
  accepted: readonly (Accepted & { at: number })[],
  received: readonly Received[],
): number[] {
  const session = new Map(accepted.map(({ text, sessionId }) => [text, sessionId]))
  const firstSeen = new Map<string, number>()
  const arrivals = new Map<string, number[]>()
  for (const { text, at } of received) {
    if (text === undefined || firstSeen.has(text)) continue
    firstSeen.set(text, at)
    const id = session.get(text) ?? ''
    arrivals.set(id, [...(arrivals.get(id) ?? []), at])
  }
  return strikes.flatMap(({ at, sessions }) =>
    sessions.flatMap(id => {
      const waiting = accepted.some(
        job => job.sessionId === id && job.at <= at && (firstSeen.get(job.text) ?? Infinity) > at,
      )
      const next = arrivals.get(id)?.find(time => time > at)
      const again = strikes.some(other => other.at > at && other.at < (next ?? 0) && other.sessions.includes(id))
      return waiting && next !== undefined && !again ? [next - at] : []
    }),
  )
}
