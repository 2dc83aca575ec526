import { CLOSINGS_FIELD } from '../../../shared/keys.ts'
import { QUEUE } from '../../../shared/partition.ts'
import { layoutOf } from '../../../worker/jobs/bullmq/layout.ts'
import { judgeSends } from '../check.ts'
import { verdictFigures, zero, type Outcome } from '../figures.ts'
import { startWorld } from '../world.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface PoisonSendSize {
  sessions: number
  /** Texts for each session before and after each poison. */
  texts: number
  /** Messages a session at which WhatsApp closes the stream, each time. */
  poisons: number
  /** The stream error with which it closes: 515 lets a session come back at once, 500 backs off. */
  code: number
  /** For how many ends the poisons are blamed beforehand: each further one costs a pause that doubles. */
  blamed: number
}

/** Messages at which WhatsApp closes the connection, whenever they come, among texts that it takes. */
export async function sendPoison({ sessions: count, texts, poisons, code, blamed }: PoisonSendSize): Promise<Outcome> {
  const world = await startWorld({})
  try {
    const sessions = await world.link(count)
    const poisoned = []
    await world.postTexts(sessions, texts)
    for (const [i, { sessionId, phone }] of sessions.entries()) {
      const to = String(628_991_000_000 + i)
      await world.simulator.fault({ kind: 'cut', when: 'before', phone, to, code })
      for (let n = 0; n < poisons; n++) {
        // Delayed, so that there is time to write to it.
        const job = { name: 'SEND_TEXT', data: { sessionId, to, text: `poison ${n}` }, opts: { delay: 1000 } }
        const accepted = await world.api.post(job)
        await world.redis.hset(`${layoutOf(QUEUE).prefix}${accepted.id}`, CLOSINGS_FIELD, blamed)
        poisoned.push(accepted)
      }
    }
    await world.postTexts(sessions, texts)
    const endings = await Promise.all(poisoned.map(job => world.api.waitForEnd(job, 170_000)))
    await world.settled(60_000)
    const coded = endings.filter(({ state, error }) => state === 'failed' && error?.code === 'CONNECTION_ENDED_AT_SEND')
    const logins = await world.simulator.log({ kind: 'login', limit: 100_000 })
    const { figures, evidence } = verdictFigures(
      judgeSends(world.accepted, await world.received(), await world.journal()),
    )
    return {
      fault: 'messages at which WhatsApp closes the connection',
      done: `${count} sessions, ${world.accepted.length} sends, ${poisoned.length} poisons`,
      figures: [
        ...figures,
        zero('poisons that did not fail with their code', poisoned.length - coded.length),
        // One after the pairing, five for each poison, and one for each text that was the oldest beside it.
        { name: 'logins', value: logins.length, limit: count * (2 + 8 * poisons) },
      ],
      evidence,
    }
  } finally {
    await world.close()
  }
}
