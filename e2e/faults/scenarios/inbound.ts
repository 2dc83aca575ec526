import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../../dev/stack/until.ts'
import { judgeEvents } from '../check.ts'
import { zero, type Outcome } from '../figures.ts'
import { startWorld } from '../world.ts'
import { arrivedOf } from './receiver.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface InboundSize {
  sessions: number
  /** How often the workers are killed. */
  kills: number
  /** Texts to each session between two kills, sent without waiting for any of them to be handled. */
  texts: number
}

/**
 * Kills the worker while contacts write, to see what is lost or comes twice between WhatsApp's receipt and our append, and
 * whether anything has to be asked for again, which a sender that is away would not answer.
 */
export async function killWhileReceiving({ sessions: count, kills, texts }: InboundSize): Promise<Outcome> {
  const world = await startWorld({ workers: 1 })
  try {
    const sessions = await world.link(count)
    const { inbox } = world.stack
    if (inbox === undefined) throw new Error('this scenario needs the inbox')
    const groups = new Map<string, string>()
    for (const { phone, contact } of sessions) {
      groups.set(phone, (await world.simulator.createGroup(contact, 'Talk', [phone])).jid)
    }
    const sent: string[] = []
    for (let kill = 0; kill < kills; kill++) {
      const [worker] = world.stack.workers.slice(-1)
      const writing = sessions.map(async ({ phone, contact }) => {
        for (let n = 0; n < texts; n++) {
          const text = `inbound ${sent.length}`
          sent.push(text)
          await world.simulator.sendText(contact, n % 2 === 0 ? phone : (groups.get(phone) ?? phone), text)
        }
      })
      await sleep(Math.random() * texts * 10)
      await Promise.all([worker?.kill(), ...writing])
      await world.stack.startWorker()
      // The next kill is to meet open sessions: those that still connect have nothing to lose.
      await until('a text of each session to arrive', () => judged().lost.length < sent.length / 2 || kill === 0, {
        timeoutMs: 60_000,
      })
    }
    function judged() {
      return judgeEvents(sent, inbox?.arrivals().map(arrivedOf) ?? [])
    }
    await until('every text to arrive', () => judged().lost.length === 0, { timeoutMs: 90_000, everyMs: 250 }).catch(
      () => undefined,
    )
    const { lost, twice, inversions, secondIds } = judged()
    const problems = await world.simulator.log({ kind: 'problem', limit: 1000 })
    const asked = problems.map(({ id, detail }) => `${id}: ${detail}`).filter(line => line.includes('asked for retry'))
    return {
      fault: 'kill -9 of the worker while messages come in',
      done: `${kills} kills, ${count} sessions, ${sent.length} inbound texts`,
      figures: [
        zero('inbound texts lost', lost.length),
        zero('inbound texts in two events', twice.length),
        zero('inbound texts asked for again', asked.length),
        zero('order inversions of events', inversions.length),
        zero('second event ids', secondIds.length),
      ],
      evidence: [...lost, ...twice, ...asked, ...inversions, ...secondIds].slice(0, 10),
    }
  } finally {
    await world.close()
  }
}
