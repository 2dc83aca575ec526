import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startRedis } from '../../../dev/redis/start.ts'
import { freePort } from '../../../dev/stack/ports.ts'
import { judgeSends } from '../check.ts'
import { verdictFigures, zero, type Outcome } from '../figures.ts'
import { startWorld } from '../world.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface RedisSize {
  sessions: number
  texts: number
  /** How often Redis is killed. */
  kills: number
  freezeMs: number
}

/** How long writes are refused: less than a lease lasts. */
const READONLY_MS = 5000

/** Kills, freezes and empties Redis while texts flow; the workers are never restarted. */
export async function breakRedis({ sessions: count, texts, kills, freezeMs }: RedisSize): Promise<Outcome> {
  const dir = await mkdtemp(join(tmpdir(), 'kurir-redis-'))
  const start = { dir, port: await freePort(), appendonly: true, fsync: 'always' } as const
  let redis = await startRedis(start)
  const world = await startWorld({ given: { redisUrl: redis.url } })
  try {
    const sessions = await world.link(count)
    let ended = 0
    for (const { child } of world.stack.workers) void child.exited.then(() => (ended += 1))
    for (let i = 0; i < kills; i++) {
      await world.postTexts(sessions, texts)
      redis.child?.signal('SIGKILL')
      await redis.child?.exited
      redis = await startRedis(start)
      await world.postTexts(sessions, texts)
      await world.settled(120_000)
    }
    await world.postTexts(sessions, texts)
    redis.child?.signal('SIGSTOP')
    await sleep(freezeMs)
    redis.child?.signal('SIGCONT')
    await world.postTexts(sessions, texts)
    await world.settled(120_000)
    await world.postTexts(sessions, texts)
    await world.redis.script('FLUSH')
    await world.postTexts(sessions, texts)
    await world.settled(120_000)
    // A replica of nobody: it keeps its data and refuses writes with READONLY, as an old primary does after a failover.
    await world.postTexts(sessions, texts)
    await world.redis.replicaof('127.0.0.1', '1')
    await sleep(READONLY_MS)
    await world.redis.replicaof('NO', 'ONE')
    await world.postTexts(sessions, texts)
    await world.settled(120_000)
    const received = await world.received()
    const { figures, evidence } = verdictFigures(judgeSends(world.accepted, received, await world.journal()))
    return {
      fault: `Redis SIGKILL (appendonly always), frozen for ${freezeMs / 1000} s, SCRIPT FLUSH, READONLY`,
      done: `${kills} kills, ${count} sessions, ${world.accepted.length} sends`,
      figures: [...figures, zero('workers that ended', ended)],
      evidence,
    }
  } finally {
    await world.close()
    redis.child?.signal('SIGCONT')
    await redis.close()
    await rm(dir, { recursive: true, force: true })
  }
}
