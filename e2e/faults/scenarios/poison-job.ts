import { until } from '../../../dev/stack/until.ts'
import { poisonJobs } from '../../../dev/testing/poison-jobs.ts'
import { QUEUE } from '../../../shared/partition.ts'
import { judgeSends } from '../check.ts'
import { verdictFigures, zero, type Outcome } from '../figures.ts'
import { startWorld } from '../world.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface PoisonJobSize {
  /** Good texts of each session after so many poisons. */
  every: number
  sessions: number
}

/** Puts into the queue what no producer of ours writes, with good jobs between, and has the rest taken over. */
export async function poisonQueue({ every, sessions: count }: PoisonJobSize): Promise<Outcome> {
  const world = await startWorld({ workers: 1 })
  try {
    const sessions = await world.link(count)
    const { jobs } = poisonJobs(QUEUE, 'poisoned')
    for (const [i, poison] of jobs.entries()) {
      await poison.put(world.redis)
      if (i % every === 0) await world.postTexts(sessions, 1)
    }
    await world.settled(60_000)
    // What stands in 'active' is looked at by the next owner.
    await world.stack.workers[0]?.kill()
    await world.stack.startWorker()
    await world.postTexts(sessions, 1)
    await world.settled(60_000)
    const left = async () =>
      (await world.redis.llen(`bull:${QUEUE}:wait`)) + (await world.redis.llen(`bull:${QUEUE}:active`))
    await until('the queue to be empty', async () => (await left()) === 0)
    const { figures, evidence } = verdictFigures(
      judgeSends(world.accepted, await world.received(), await world.journal()),
    )
    return {
      fault: `${jobs.length} jobs and ids that nobody can read`,
      done: `${world.accepted.length} sends between them, and a take-over`,
      figures: [...figures, zero('ids left in the queue', await left())],
      evidence,
    }
  } finally {
    await world.close()
  }
}
