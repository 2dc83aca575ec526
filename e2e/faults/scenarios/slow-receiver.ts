import { until } from '../../../dev/stack/until.ts'
import { judgeEvents } from '../check.ts'
import { zero, type Outcome } from '../figures.ts'
import { startWorld } from '../world.ts'
import { appended, arrivedOf, writeIn } from './receiver.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface SlowReceiverSize {
  sessions: number
  /** Inbound texts for each session. */
  texts: number
  /** Events that the receiver deals with at the same time, and how long each takes it, in ms. */
  atOnce: number
  takesMs: number
}

/**
 * A backlog of events for a receiver that deals with a few at a time and lets the others wait, as one with a small pool of
 * workers does: sent all at once, they time out, and each is sent again.
 */
export async function slowDownReceiver({ sessions, texts, atOnce, takesMs }: SlowReceiverSize): Promise<Outcome> {
  const world = await startWorld({ partitions: 2 })
  try {
    const linked = await world.link(sessions)
    const { inbox } = world.stack
    if (inbox === undefined) throw new Error('this scenario needs the inbox')
    inbox.answerWith({ delayMs: takesMs, atOnce })
    const before = inbox.arrivals({ all: true }).length
    const sent: string[] = []
    await writeIn(world, linked, texts, sent)
    await appended(world, sent.length)
    const missing = () => judgeEvents(sent, inbox.arrivals().map(arrivedOf)).lost
    await until('every event to be delivered', () => missing().length === 0, {
      timeoutMs: 300_000,
      everyMs: 100,
    }).catch(() => undefined)
    // What is repeated comes after that, too.
    await until('nothing to wait', async () => (await world.redis.keys('kurir:undelivered:*')).length === 0, {
      timeoutMs: 120_000,
    }).catch(() => undefined)
    const posts = inbox.arrivals({ all: true }).slice(before)
    const inVain = posts.length - new Set(posts.map(({ id }) => id)).size
    const { lost, twice, inversions, secondIds } = judgeEvents(sent, inbox.arrivals().map(arrivedOf))
    return {
      fault: 'webhook receiver that deals with few events at a time',
      done: `${sessions} sessions, ${sent.length} events, ${atOnce} at a time, ${takesMs} ms each, ${posts.length} POSTs`,
      figures: [
        zero('events lost', lost.length),
        zero('texts in two events', twice.length),
        zero('order inversions', inversions.length),
        zero('second event ids', secondIds.length),
        // What was on its way when the receiver became slow is lost to it; what is sent after that need not be.
        { name: 'POSTs in vain', value: inVain, limit: Math.ceil(sent.length * 0.15) },
      ],
      evidence: [...lost, ...twice, ...inversions, ...secondIds].slice(0, 10),
    }
  } finally {
    await world.close()
  }
}
