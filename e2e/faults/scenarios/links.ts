import { zero, type Outcome } from '../figures.ts'
import { startWorld } from '../world.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface LinksSize {
  sessions: number
}

/** Has many phones scan their QR in one moment, of sessions of one worker. */
export async function linkMany({ sessions }: LinksSize): Promise<Outcome> {
  const world = await startWorld({ partitions: 8 })
  try {
    await world.link(sessions)
    const logins = (await world.journal()).filter(({ kind }) => kind === 'login').length
    return {
      fault: 'many phones scan their QR in one moment',
      done: `${sessions} sessions, 50 at a time`,
      // A worker that is held up loses its leases, and with them every socket.
      figures: [zero('logins above one a session', logins - sessions)],
      evidence: [],
    }
  } finally {
    await world.close()
  }
}
