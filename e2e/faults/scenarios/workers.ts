import { setTimeout as sleep } from 'node:timers/promises'
import { partitionOf } from '../../../shared/partition.ts'
import type { WorkerProcess } from '../../../dev/stack/worker.ts'
import { until } from '../../../dev/stack/until.ts'
import { judgeSends } from '../check.ts'
import { quantile, recoveryTimes, verdictFigures, type Outcome, type Strike } from '../figures.ts'
import { startWorld, type LinkedSession } from '../world.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface WorkersSize {
  workers: number
  partitions: number
  sessions: number
  /** How often a worker is struck. */
  strikes: number
  /** Texts for each session between two strikes. */
  textsPerStrike: number
  /** Longest wait, in ms, from a burst of texts to the strike; the actual one is random. */
  aimMs: number
  /** Most ms to the next send, 99 of 100 times, where it is not that of a few sessions. */
  limitMs?: number
}

type Strikes = 'crash' | 'kill' | 'stop'

const FAULTS: Record<Strikes, { fault: string; limitMs: number }> = {
  crash: { fault: 'kill -9 of the process of a worker at random points', limitMs: 1000 },
  kill: { fault: 'kill -9 of all of a worker, as when its host dies, at random points', limitMs: 6000 },
  stop: { fault: 'SIGTERM of workers at random points', limitMs: 2000 },
}

/** Ends workers again and again while texts flow, and starts another in the place of each. */
export async function strikeWorkers(how: Strikes, size: WorkersSize): Promise<Outcome> {
  const world = await startWorld({ workers: size.workers, partitions: size.partitions })
  try {
    const sessions = await world.link(size.sessions)
    const strikes: Strike[] = []
    let alive = [...world.stack.workers]
    for (let i = 0; i < size.strikes; i++) {
      await world.postTexts(sessions, size.textsPerStrike)
      await sleep(Math.random() * size.aimMs)
      const victim = await ownerOfSome(alive, sessions, size.partitions)
      // The texts that the strike is to interrupt: a session with nothing to send says nothing about recovery.
      await world.postTexts(sessions, 1)
      // Looked up at the last moment: what the victim claims after that is hit, too, and counted from the wrong strike.
      const hit = await sessionsOf(victim, sessions, size.partitions)
      strikes.push({ at: Date.now(), sessions: hit })
      if (how === 'crash') await victim.crash()
      else {
        await (how === 'kill' ? victim.kill() : victim.stop())
        alive = [...alive.filter(worker => worker !== victim), await world.stack.startWorker()]
      }
    }
    await world.settled(120_000)
    const received = await world.received()
    const times = recoveryTimes(strikes, world.accepted, received)
    const verdict = verdictFigures(judgeSends(world.accepted, received, await world.journal()))
    const p99 = {
      name: 'to the next send, p99',
      value: quantile(times, 0.99),
      limit: size.limitMs ?? FAULTS[how].limitMs,
      unit: 'ms',
    } as const
    return {
      fault: FAULTS[how].fault,
      done: `${size.strikes} strikes, ${size.workers} workers, ${size.sessions} sessions, ${world.accepted.length} sends, ${times.length} recoveries timed (p50 ${quantile(times, 0.5)} ms)`,
      figures: [...verdict.figures, p99],
      evidence: verdict.evidence,
    }
  } finally {
    await world.close()
  }
}

/** A worker that hosts sessions now: striking an idle one proves little. */
async function ownerOfSome(
  alive: readonly WorkerProcess[],
  sessions: readonly LinkedSession[],
  partitions: number,
): Promise<WorkerProcess> {
  return until(
    'a worker to own sessions',
    async () => {
      const candidates = alive.toSorted(() => Math.random() - 0.5)
      for (const worker of candidates) {
        if ((await sessionsOf(worker, sessions, partitions)).length > 0) return worker
      }
      return undefined
    },
    { timeoutMs: 30_000 },
  )
}

/** The sessions whose partitions the worker says it owns. */
async function sessionsOf(
  { url }: WorkerProcess,
  sessions: readonly LinkedSession[],
  partitions: number,
): Promise<string[]> {
  // One that is starting again does not answer yet.
  const metrics = await fetch(`${url}/metrics`).then(
    async answer => answer.text(),
    () => '',
  )
  const owned = new Set(
    [...metrics.matchAll(/^kurir_lease_epoch\{partition="(\d+)"\}/gm)].map(match => Number(match[1])),
  )
  return sessions.map(({ sessionId }) => sessionId).filter(sessionId => owned.has(partitionOf(sessionId, partitions)))
}
