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
 * at that moment (a session with nothing to send is not late). Only texts on a later connection count: those that a dead
 * worker had written still arrive. A session that is struck again before it has sent counts from the last strike.
 */
export function recoveryTimes(
  strikes: readonly Strike[],
  accepted: readonly (Accepted & { at: number })[],
  received: readonly Received[],
): number[] {
  const posted = new Map(accepted.map(job => [job.text, job]))
  const seen = new Set<string>()
  const arrivals = new Map<string, { at: number; connection: number; postedAt: number }[]>()
  for (const { text, at, connection } of received) {
    const job = text === undefined ? undefined : posted.get(text)
    if (text === undefined || job === undefined || seen.has(text)) continue
    seen.add(text)
    arrivals.set(job.sessionId, [...(arrivals.get(job.sessionId) ?? []), { at, connection, postedAt: job.at }])
  }
  return strikes.flatMap(({ at, sessions }) =>
    sessions.flatMap(id => {
      const all = arrivals.get(id) ?? []
      const before = Math.max(0, ...all.filter(arrival => arrival.at <= at).map(({ connection }) => connection))
      const next = all.find(arrival => arrival.at > at && arrival.connection > before && arrival.postedAt <= at)
      const again = strikes.some(other => other.at > at && other.at < (next?.at ?? 0) && other.sessions.includes(id))
      return next === undefined || again ? [] : [next.at - at]
    }),
  )
}
