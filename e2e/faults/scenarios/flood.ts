import { until } from '../../../dev/stack/until.ts'
import { keys } from '../../../shared/keys.ts'
import { judgeEvents } from '../check.ts'
import { zero, type Outcome } from '../figures.ts'
import { startWorld, type LinkedSession, type World } from '../world.ts'
import { arrivedOf } from './receiver.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface FloodSize {
  /** Sessions that are written to, all at once. */
  sessions: number
  /** Texts for each, and how many characters each has. */
  texts: number
  characters: number
  /** Most bytes that may await delivery: of a session, and of all. */
  budget: { session: number; all: number }
}

/**
 * Messages of a session that may be on their way into the outbox when the budget is reached. A worker that has no CPU for a moment
 * reads many at once then: 31 were seen on a busy machine, and 250 can be (`MOST_IN_FLIGHT`).
 */
const OVERSHOOT = 60

/**
 * Writes to sessions whose webhook receiver is away, until far more waits than Redis is to hold; stops and starts one of
 * them meanwhile; then the receiver is back.
 */
export async function flood({ sessions: count, texts, characters, budget }: FloodSize): Promise<Outcome> {
  const worker = {
    UNDELIVERED_BYTES: String(budget.all),
    UNDELIVERED_BYTES_PER_SESSION: String(budget.session),
  }
  const world = await startWorld({ given: { worker } })
  try {
    const sessions = await world.link(count)
    const [first] = sessions
    const { inbox } = world.stack
    if (inbox === undefined || first === undefined) throw new Error('this scenario needs the inbox and a session')
    await inbox.down()
    const sent: string[] = []
    const most = { session: 0, all: 0 }
    const measure = async () => {
      const waiting = await Promise.all(sessions.map(async ({ sessionId }) => bytesOf(world, sessionId)))
      most.session = Math.max(most.session, ...waiting)
      most.all = Math.max(
        most.all,
        waiting.reduce((sum, bytes) => sum + bytes, 0),
      )
    }
    for (let n = 0; n < texts; n++) {
      await Promise.all(sessions.map(async session => writeOne(world, session, characters, sent)))
      await measure()
    }
    const isPaused = async ({ sessionId }: LinkedSession) =>
      (await world.api.session(sessionId))?.inboundPausedSince !== undefined
    await until('the sessions to say that they pause', async () => {
      await measure()
      return (await Promise.all(sessions.map(isPaused))).every(Boolean)
    })
    const stoppedIn = await restart(world, first)
    await measure()

    await inbox.up()
    const judged = () => judgeEvents(sent, inbox.arrivals().map(arrivedOf))
    await until('every event', () => judged().lost.length === 0, { timeoutMs: 300_000, everyMs: 250 }).catch(
      () => undefined,
    )
    const paused = await Promise.all(sessions.map(isPaused))
    const { lost, twice, inversions, secondIds } = judged()
    const message = OVERSHOOT * (characters + 500)
    return {
      fault: 'strangers write to sessions whose webhook receiver is away',
      done: `${count} sessions, ${sent.length} texts of ${characters} characters`,
      figures: [
        zero('texts lost', lost.length),
        zero('texts in two events', twice.length),
        zero('order inversions', inversions.length),
        zero('second event ids', secondIds.length),
        { name: 'bytes that waited, of a session', value: most.session, limit: budget.session + message },
        { name: 'bytes that waited, of all', value: most.all, limit: budget.all + count * message },
        { name: 'stop and start of a session that pauses', value: Math.round(stoppedIn), unit: 'ms', limit: 10_000 },
        zero('sessions that pause at the end', paused.filter(Boolean).length),
      ],
      evidence: [...lost, ...twice, ...inversions, ...secondIds]
        .slice(0, 10)
        .map(each => JSON.stringify(each).slice(0, 99)),
    }
  } finally {
    await world.close()
  }
}

async function writeOne(world: World, session: LinkedSession, characters: number, sent: string[]): Promise<void> {
  const text = `inbound ${sent.length} `.padEnd(characters, '.')
  sent.push(text)
  await world.simulator.sendText(session.contact, session.phone, text)
}

/** Bytes of the session's events that await delivery, by what is stored. */
async function bytesOf({ redis }: World, sessionId: string): Promise<number> {
  const [cursor = null] = await redis.hmget(keys.cursor(sessionId), 'cursor')
  const entries = await redis.xrange(keys.outbox(sessionId), `(${cursor ?? '0'}-0`, '+')
  return entries.reduce((sum, [, fields]) => sum + Buffer.byteLength(fields[fields.indexOf('body') + 1] ?? ''), 0)
}

/** Stops the session and starts it again; answers how long that took, in ms. */
async function restart(world: World, { sessionId }: LinkedSession): Promise<number> {
  const startedAt = performance.now()
  for (const [name, state] of [
    ['STOP_SESSION', 'stopped'],
    ['START_SESSION', 'open'],
  ] as const) {
    await world.post([{ name, data: { sessionId } }])
    await until(`${sessionId} to be ${state}`, async () => (await world.api.session(sessionId))?.state === state)
  }
  return performance.now() - startedAt
}
