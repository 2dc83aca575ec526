import { startRedisProxy } from '../../../dev/redis/proxy.ts'
import { startRedis } from '../../../dev/redis/start.ts'
import { judgeSends } from '../check.ts'
import { verdictFigures, zero, type Outcome } from '../figures.ts'
import { startWorld } from '../world.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface SilentSize {
  sessions: number
  texts: number
  /** Which connections of the worker fall silent, by names that they have in them, one after the other. */
  connections: readonly string[]
}

/** The worker's connections to Redis. */
export const CONNECTIONS: readonly string[] = [
  'kurir-core',
  'kurir-taking',
  'bull:',
  'kurir-beats',
  'kurir-releases',
  'kurir-',
]
/** A queue's blocked read takes the longest to be found out: 8 s and 2 s more. */
const LONGEST_MS = 12_000

/** Lets connections to Redis fall silent: they stay open, and nothing comes through. New ones work. */
export async function silenceRedis({ sessions: count, texts, connections }: SilentSize): Promise<Outcome> {
  const redis = await startRedis()
  const proxy = await startRedisProxy(redis.url)
  const world = await startWorld({ given: { redisUrl: redis.url, worker: { REDIS_URL: proxy.url } } })
  try {
    const sessions = await world.link(count)
    const closes = async () => (await world.journal()).filter(({ kind }) => kind === 'close').length
    const before = await closes()
    let ended = 0
    for (const { child } of world.stack.workers) void child.exited.then(() => (ended += 1))
    let longest = 0
    let silenced = 0
    for (const name of connections) {
      await world.postTexts(sessions, texts)
      const at = Date.now()
      silenced += proxy.silence(name)
      await world.postTexts(sessions, texts)
      await world.settled(60_000).catch(() => undefined)
      longest = Math.max(longest, Date.now() - at)
    }
    const verdict = verdictFigures(judgeSends(world.accepted, await world.received(), await world.journal()))
    return {
      fault: 'connections to Redis fall silent',
      done: `${silenced} connections, ${count} sessions, ${world.accepted.length} sends`,
      figures: [
        ...verdict.figures,
        zero('sockets that closed', (await closes()) - before),
        zero('workers that ended', ended),
        { name: 'longest until all was sent', value: longest, limit: LONGEST_MS, unit: 'ms' },
      ],
      evidence: verdict.evidence,
    }
  } finally {
    await world.close()
    await proxy.close()
    await redis.close()
  }
}
