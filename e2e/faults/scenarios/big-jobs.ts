import { limitReplies } from '../../../dev/redis/limit-replies.ts'
import { startRedis } from '../../../dev/redis/start.ts'
import { until } from '../../../dev/stack/until.ts'
import { judgeSends, type Accepted } from '../check.ts'
import { verdictFigures, zero, type Outcome } from '../figures.ts'
import { startWorld } from '../world.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface BigJobsSize {
  jobs: number
  /** Bytes of each one's base64. */
  bytes: number
  /** The worker's heap, in MB. */
  heapMb: number
}

/** Media in the jobs themselves, posted while no worker runs, through a provider's limit of replies. */
export async function sendBigJobs({ jobs, bytes, heapMb }: BigJobsSize): Promise<Outcome> {
  const redis = await startRedis({ path: process.env['PATH'] ?? '' })
  const limited = await limitReplies(redis.url)
  const worker = { REDIS_URL: limited.url, NODE_OPTIONS: `--max-old-space-size=${heapMb}` }
  const world = await startWorld({ given: { redisUrl: redis.url, worker } })
  try {
    const [session, other] = await world.link(2)
    if (session === undefined || other === undefined) throw new Error('this scenario needs two sessions')
    await world.stack.workers[0]?.stop()
    const accepted: Accepted[] = []
    const { sessionId, contact: to } = session
    const file = Buffer.alloc(Math.floor((bytes * 3) / 4), 7)
    file.write('%PDF-1.7')
    const media = file.toString('base64')
    for (let place = 0; place < jobs; place++) {
      const text = `${sessionId} media ${place}`
      const data = {
        sessionId,
        to,
        type: 'document',
        media,
        mimetype: 'application/pdf',
        fileName: 'a.pdf',
        caption: text,
      }
      await world.post([{ name: 'SEND_MEDIA', data }])
      accepted.push({ sessionId, place, text })
    }
    const again = await world.stack.startWorker()
    await world.postTexts([other], 5)
    await world.settled(60_000)
    const arrived = async () => (await world.received()).filter(({ text }) => text?.includes(' media ')).length
    const died = () => (isAlive(again.pid) ? 0 : 1)
    await until('all media to arrive', async () => died() > 0 || (await arrived()) === jobs, {
      timeoutMs: 300_000,
      everyMs: 250,
    })
    const { figures, evidence } = verdictFigures(
      judgeSends([...world.accepted, ...accepted], await world.received(), await world.journal()),
    )
    return {
      fault: `${jobs} jobs of ${Math.round(bytes / 1e6)} MB that waited for a worker, ${heapMb} MB of heap`,
      done: `${await arrived()} arrived`,
      figures: [...figures, zero('workers that died', died()), zero('replies above the limit', limited.refused)],
      evidence,
    }
  } finally {
    await world.close()
    await limited.close()
    await redis.close()
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
