import { setTimeout as sleep } from 'node:timers/promises'
import type { Received } from '../../../dev/simulator/received.ts'
import { judgeSends } from '../check.ts'
import { verdictFigures, zero, type Outcome } from '../figures.ts'
import { watchFences } from '../fence-watch.ts'
import { startWorld } from '../world.ts'

/** Freezes the owner past its lease while texts flow, and lets it go on. */
export async function freezeWorker({ sessions: count, freezeMs, texts }: FreezeSize): Promise<Outcome> {
  const world = await startWorld({ workers: 1 })
  try {
    const sessions = await world.link(count)
    const watch = await watchFences(world.stack.redis.url)
    const [owner] = world.stack.workers
    const standby = await world.stack.startWorker()
    await world.postTexts(sessions, texts)
    owner?.freeze()
    await world.postTexts(sessions, texts)
    await sleep(freezeMs)
    owner?.thaw()
    await world.postTexts(sessions, texts)
    await world.settled(60_000)
    watch.close()
    const received = await world.received()
    const verdict = judgeSends(world.accepted, received, await world.journal())
    // The frozen process cannot close its sockets: WhatsApp does, when the new owner logs in. What counts is that
    // nothing comes from the old ones after that.
    const { figures, evidence } = verdictFigures({ ...verdict, overlaps: [] })
    return {
      fault: `SIGSTOP for ${freezeMs / 1000} s, then SIGCONT`,
      done: `${count} sessions, ${world.accepted.length} sends, taken over by ${standby.name}, ${watch.staleAttempts()} stale scripts refused`,
      figures: [
        ...figures.filter(({ name }) => name !== 'socket overlaps'),
        zero('messages from two sockets', comebacks(received)),
        zero('writes under an old epoch', watch.staleWrites().length),
      ],
      evidence,
    }
  } finally {
    await world.close()
  }
}

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface FreezeSize {
  sessions: number
  freezeMs: number
  texts: number
}

/** Messages of a phone on a connection older than one it has already sent on. */
function comebacks(received: readonly Received[]): number {
  const newest = new Map<string, number>()
  let found = 0
  for (const { from, connection } of received) {
    const before = newest.get(from.phone) ?? 0
    if (connection < before) found++
    newest.set(from.phone, Math.max(before, connection))
  }
  return found
}
