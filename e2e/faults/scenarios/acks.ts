import { until } from '../../../dev/stack/until.ts'
import { judgeSends } from '../check.ts'
import { verdictFigures, zero, type Outcome } from '../figures.ts'
import { startWorld, type LinkedSession, type World } from '../world.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface AcksSize {
  sessions: number
  /** Texts for each session and each fault. */
  texts: number
  /** How often each disconnect code strikes each session. */
  storm: number
  /** Codes after which a session must come back by itself, with its credentials. */
  codes: readonly number[]
}

/** Loses acks, cuts sockets around a message, and disconnects with every code that is not final. */
export async function disturbSends({ sessions: count, texts, storm, codes }: AcksSize): Promise<Outcome> {
  // Each dropped ack costs this much time.
  const world = await startWorld({ given: { worker: { ACK_TIMEOUT_MS: '5000' } } })
  try {
    const sessions = await world.link(count)
    const faults = [
      { kind: 'drop-ack', count: count * 2 },
      { kind: 'cut', when: 'before', count },
      { kind: 'cut', when: 'after', count },
    ] as const
    for (const fault of faults) {
      await world.simulator.fault(fault)
      await world.postTexts(sessions, texts)
      await world.settled(120_000)
    }
    // What was cut after it had arrived is sent again, and must not take the error acks.
    await world.idle()
    const { faults: idle } = await world.simulator.faults()
    const refused = await refuseSome(world, sessions)
    for (const code of codes) {
      for (let i = 0; i < storm; i++) {
        await world.postTexts(sessions, 1)
        const ended = await Promise.all(sessions.map(({ phone }) => world.simulator.disconnect(phone, { code })))
        await reopened(world, sessions, Math.max(...ended.flatMap(({ connections }) => connections)))
      }
      await world.settled(120_000)
    }
    const logins = await world.simulator.log({ kind: 'login', limit: 100_000 })
    const received = await world.received()
    const { figures, evidence } = verdictFigures(judgeSends(world.accepted, received, await world.journal()))
    const paired = await world.simulator.log({ kind: 'linked', limit: 100_000 })
    // One login after pairing, one for each cut and disconnect; twice that would be a loop.
    const expected = count * (3 + storm * codes.length)
    return {
      fault: `acks dropped, error acks, sockets cut, storms of ${codes.join('/')}`,
      done: `${count} sessions, ${world.accepted.length} sends, ${logins.length} logins`,
      figures: [
        ...figures,
        zero('faults that never struck', idle.length),
        zero('error acks not reported', refused),
        zero('credentials wiped', paired.length - count),
        { name: 'logins', value: logins.length, limit: expected * 2 },
      ],
      evidence,
    }
  } finally {
    await world.close()
  }
}

/** An error ack fails the job with WhatsApp's code. Answers how many did not. */
async function refuseSome(world: World, sessions: readonly LinkedSession[]): Promise<number> {
  const { api, simulator } = world
  let missed = 0
  for (const { sessionId, phone, contact } of sessions) {
    await simulator.fault({ kind: 'error-ack', code: 479, phone, count: 1 })
    const data = { sessionId, to: contact, text: 'refused' }
    const status = await api.waitForEnd(await api.post({ name: 'SEND_TEXT', data }))
    if (status.error?.code !== 'WHATSAPP_REFUSED' || !status.error.message.includes('479')) missed++
  }
  return missed
}

/** Every session is open on a connection newer than the given one. */
async function reopened(world: World, sessions: readonly LinkedSession[], after: number): Promise<void> {
  await until(
    'all sessions to be open again',
    async () => {
      const { connections } = await world.simulator.connections()
      const open = new Set(
        connections
          .filter(({ connection, state }) => state === 'ready' && connection > after)
          .map(({ phone }) => phone),
      )
      return sessions.every(({ phone }) => open.has(phone))
    },
    { timeoutMs: 120_000, everyMs: 100 },
  )
}
