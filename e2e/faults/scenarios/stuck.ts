import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../../dev/stack/until.ts'
import { judgeSends } from '../check.ts'
import { quantile, verdictFigures, type Figure, type Outcome } from '../figures.ts'
import { startWorld, type LinkedSession, type World } from '../world.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface StuckSize {
  /** Texts for the session that is offline. */
  texts: number
  /** Texts of another session that are timed, before and while the first is stuck; 0: none, and no figure of time. */
  timed: number
}

const MOST_GROWTH = 1.2
const MOST_MB = 60

/** Gives one offline session a pile of jobs, and looks at another session, at memory, and at the order of the pile. */
export async function pileUp({ texts, timed }: StuckSize): Promise<Outcome> {
  const world = await startWorld({ workers: 1 })
  try {
    const [stuck, other] = await world.link(2)
    if (stuck === undefined || other === undefined) throw new Error('this scenario needs two sessions')
    const before = await latencies(world, other, timed, 'before')
    const memory = await residentMb(world)
    await world.simulator.fault({ kind: 'refuse-login', code: 503, phone: stuck.phone })
    await world.simulator.disconnect(stuck.phone, { how: 'cut' })
    await world.postTexts([stuck], texts)
    const during = await latencies(world, other, timed, 'during')
    const grown = Math.max(0, (await residentMb(world)) - memory)
    await world.simulator.clearFaults()
    await world.settled(120_000)
    const { figures, evidence } = verdictFigures(
      judgeSends(world.accepted, await world.received(), await world.journal()),
    )
    const [p99Before, p99During] = [quantile(before, 0.99), quantile(during, 0.99)]
    const growth: Figure[] =
      timed === 0
        ? []
        : [
            { name: "growth of another session's p99", value: round(p99During / p99Before), limit: MOST_GROWTH },
            { name: 'growth of the worker in MB', value: Math.round(grown), limit: MOST_MB },
          ]
    return {
      fault: `${texts} jobs for one offline session`,
      done: `another session: p99 ${p99Before} ms before, ${p99During} ms during`,
      figures: [...figures, ...growth],
      evidence,
    }
  } finally {
    await world.close()
  }
}

/** POST to frame, in ms, one text after the other. */
async function latencies(
  world: World,
  { sessionId, contact }: LinkedSession,
  count: number,
  name: string,
): Promise<number[]> {
  const posted = new Map<string, number>()
  for (let n = 0; n < count; n++) {
    const text = `${name} ${n}`
    posted.set(text, Date.now())
    await world.post([{ name: 'SEND_TEXT', data: { sessionId, to: contact, text } }])
    await sleep(10)
  }
  return until('the timed texts to arrive', async () => {
    const received = await world.received()
    const times = received.flatMap(({ text = '', at }) => (posted.has(text) ? [at - (posted.get(text) ?? 0)] : []))
    return times.length >= count && times
  })
}

async function residentMb(world: World): Promise<number> {
  const [worker] = world.stack.workers
  const metrics = await (await fetch(`${worker?.url}/metrics`)).text()
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(metrics)?.[1]) / 1024 / 1024
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
