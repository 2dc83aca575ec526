import { accepts } from 'hono/accepts'
import { Problem } from './problem.ts'
import type { RouteContext } from './context.ts'

interface Range {
  type: string
  q: number
}

/**
 * The media type to answer with, after RFC 9110, 12.5.1: for each type of ours the most specific range counts; the
 * highest weight wins, and our order breaks ties. Throws {@link Problem} when none is accepted.
 */
export function chooseType<T extends string>(context: RouteContext, ours: readonly [T, ...T[]]): T {
  if (context.req.header('accept') === undefined) return ours[0]
  const match = (ranges: Range[]) => {
    const weights = ours.map(type => ({ type, weight: weightOf(type, ranges) }))
    return weights.reduce((best, next) => (next.weight > best.weight ? next : best), { type: '', weight: 0 }).type
  }
  const header = accepts(context, { header: 'Accept', supports: [...ours], default: '', match })
  const chosen = ours.find(type => type === header)
  if (chosen === undefined) throw new Problem('NOT_ACCEPTABLE', { detail: `can be given: ${ours.join(', ')}` })
  return chosen
}

function weightOf(type: string, ranges: readonly Range[]): number {
  for (const range of [type, `${type.split('/')[0]}/*`, '*/*']) {
    const found = ranges.find(candidate => candidate.type.toLowerCase() === range)
    if (found !== undefined) return found.q
  }
  return 0
}
