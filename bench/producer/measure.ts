import { readdirSync, readFileSync } from 'node:fs'

/** One closed-loop run: so many at once, each beginning the next as soon as its last one ended. */
export interface Run {
  /** Per second. */
  rate: number
  /** In ms. */
  p50: number
  p99: number
  count: number
  /** CPU time of workerd per call in ms, where it was asked for. */
  cpu: number
}

/** How a run is done. */
export interface RunOptions {
  seconds: number
  concurrency: number
  /** Leader of the process group whose workerd processes' CPU time is taken. */
  group?: number
}

/** Calls in a closed loop, and measures. Stops on the first call that rejects. */
export async function run(call: () => Promise<unknown>, { seconds, concurrency, group }: RunOptions): Promise<Run> {
  const times: number[] = []
  const cpuBefore = group === undefined ? 0 : workerdCpuMs(group)
  const begun = performance.now()
  const end = begun + seconds * 1000
  const loop = async () => {
    while (performance.now() < end) {
      const start = performance.now()
      await call()
      times.push(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, loop))
  const elapsed = performance.now() - begun
  const cpu = group === undefined ? 0 : workerdCpuMs(group) - cpuBefore
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
  const count = times.length
  return { rate: (count / elapsed) * 1000, p50: at(0.5), p99: at(0.99), count, cpu: cpu / count }
}

/** Several ways, in turns, so that whatever else the machine does hits all of them; the runs of each way, in order. */
export async function inTurns<W extends string>(
  ways: Record<W, () => Promise<Run>>,
  rounds: number,
  between: () => Promise<unknown>,
): Promise<Record<W, Run[]>> {
  const names = Object.keys(ways) as W[]
  const results = Object.fromEntries(names.map(name => [name, [] as Run[]])) as Record<W, Run[]>
  for (const name of names) await ways[name]()
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      await between()
      results[name].push(await ways[name]())
    }
  }
  return results
}

/** The middle of the values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

const TICKS_PER_SECOND = 100
/** Places of fields in /proc/<pid>/stat after the command's name (proc(5)): pgrp, utime, stime. */
const [PGRP, UTIME, STIME] = [2, 11, 12] as const

/** CPU time in ms that the workerd processes of a process group have used so far. Linux only. */
function workerdCpuMs(group: number): number {
  let ticks = 0
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const stat = readStat(pid)
    if (!stat.includes('(workerd)')) continue
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (Number(fields[PGRP]) === group) ticks += Number(fields[UTIME]) + Number(fields[STIME])
  }
  return (ticks / TICKS_PER_SECOND) * 1000
}

function readStat(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return ''
  }
}
