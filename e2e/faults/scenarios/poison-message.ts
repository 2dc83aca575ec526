import { until } from '../../../dev/stack/until.ts'
import { HOSTILE_MESSAGES } from '../../../dev/testing/hostile-messages.ts'
import { judgeEvents, judgeSends } from '../check.ts'
import { verdictFigures, zero, type Outcome } from '../figures.ts'
import { startWorld } from '../world.ts'
import { arrivedOf, writeIn } from './receiver.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface PoisonMessageSize {
  sessions: number
  /** How often each session gets each message. */
  times: number
}

/** The longest that a text may wait behind a message that nobody can read: Baileys pauses before it asks for it again. */
const LONGEST_MS = 20_000

/** Strangers send what cannot be read, between texts that can, while texts go out. */
export async function sendPoisonMessages({ sessions: count, times }: PoisonMessageSize): Promise<Outcome> {
  const world = await startWorld({ partitions: 2 })
  try {
    const sessions = await world.link(count)
    const { inbox } = world.stack
    if (inbox === undefined) throw new Error('this scenario needs the inbox')
    const closes = async () => (await world.journal()).filter(({ kind }) => kind === 'close').length
    const before = await closes()
    let ended = 0
    for (const { child } of world.stack.workers) void child.exited.then(() => (ended += 1))
    const pids = world.stack.workers.map(({ workPid }) => workPid)
    const sent: string[] = []
    const judged = () => judgeEvents(sent, inbox.arrivals().map(arrivedOf))
    const messages = Object.values(HOSTILE_MESSAGES)
    let longest = 0
    let n = 0
    for (let round = 0; round < times; round++) {
      for (const send of messages) {
        const at = Date.now()
        await world.postTexts(sessions, 1)
        for (const [i, { phone }] of sessions.entries()) {
          await send({ whatsapp: world.simulator, from: String(628_999_000_000 + i), phone, n: ++n })
        }
        await writeIn(world, sessions, 1, sent)
        await until('the texts', () => judged().lost.length === 0, { timeoutMs: LONGEST_MS }).catch(() => undefined)
        longest = Math.max(longest, Date.now() - at)
      }
    }
    await world.settled(60_000).catch(() => undefined)
    const { lost, twice, inversions, secondIds } = judged()
    const verdict = verdictFigures(judgeSends(world.accepted, await world.received(), await world.journal()))
    return {
      fault: 'messages that nobody can read, and stanzas that make no sense',
      done: `${n} of ${messages.length} kinds to ${count} sessions, ${sent.length} texts in and ${world.accepted.length} out`,
      figures: [
        ...verdict.figures,
        zero('inbound texts lost', lost.length),
        zero('inbound texts in two events', twice.length),
        zero('order inversions of events', inversions.length),
        zero('second event ids', secondIds.length),
        zero('sockets that closed', (await closes()) - before),
        zero('workers that ended', ended),
        zero('workers that began anew', world.stack.workers.filter(({ workPid }) => !pids.includes(workPid)).length),
        { name: 'longest until a text behind them', value: longest, limit: LONGEST_MS, unit: 'ms' },
      ],
      evidence: [...verdict.evidence, ...lost, ...twice, ...inversions, ...secondIds].slice(0, 10),
    }
  } finally {
    await world.close()
  }
}
