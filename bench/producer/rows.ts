import { median, type Run } from './measure.ts'
import type { Row } from './table.ts'

/** One way's runs, jobs a call included. */
export interface Way {
  runs: readonly Run[]
  jobs: number
}

/** Rate and latency, without a target. */
export function rateRow(what: string, { runs, jobs }: Way): Row {
  const rate = Math.round(median(runs.map(turn => turn.rate)) * jobs)
  const [p50, p99] = [median(runs.map(turn => turn.p50)), median(runs.map(turn => turn.p99))]
  return { what, value: `${rate} jobs/s, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms` }
}

/** The median over turns of one way's jobs/s beside another's in the same turn. */
export function ratioRow(what: string, way: Way, beside: Way, least?: number): Row {
  const rateOf = ({ runs, jobs }: Way, turn: number) => (runs[turn]?.rate ?? Number.NaN) * jobs
  const ratio = median(way.runs.map((_, turn) => rateOf(way, turn) / rateOf(beside, turn)))
  const target = least === undefined ? {} : { target: `${least} or more`, ok: ratio >= least }
  return { what, value: ratio.toFixed(2), ...target }
}

/** CPU time of workerd per call. */
export function cpuRow(what: string, { runs }: Way, mostMs?: number): Row {
  const cpu = median(runs.map(turn => turn.cpu))
  const target = mostMs === undefined ? {} : { target: `${mostMs} ms at most`, ok: cpu <= mostMs }
  return { what, value: `${cpu.toFixed(2)} ms`, ...target }
}
