import { formatTable, type Row } from './producer/table.ts'
import { startWorld } from '../e2e/faults/world.ts'
import { benchConsumer } from './worker/rows-consumer.ts'
import { benchCosts } from './worker/rows-costs.ts'
import { benchSends } from './worker/rows-sends.ts'

/**
 * `npm run bench -- worker`: our worker beside bare Baileys and a bare BullMQ Worker, in one run against one simulator.
 * About 5 minutes. Resolves with whether all targets were met.
 */
export async function benchWorker(signal: AbortSignal): Promise<boolean> {
  const rows: Row[] = []
  const steps = [
    ['sends, one session', async () => benchSends({ sessions: 1, texts: 1000, turns: 3 })],
    ['sends, 50 sessions', async () => benchSends({ sessions: 50, texts: 20, turns: 3 })],
    ['consumer', async () => benchConsumer({ jobs: 20_000, sessions: 50, turns: 3 })],
    ['latency, memory, commands, deliveries', async () => benchCosts(startWorld)],
  ] as const
  for (const [name, step] of steps) {
    signal.throwIfAborted()
    console.error(`${name} ...`)
    const found = await step()
    console.error(formatTable(found))
    rows.push(...found)
  }
  console.log(`\nworker\n\n${formatTable(rows)}`)
  return rows.every(({ ok }) => ok !== false)
}
