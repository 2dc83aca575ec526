import { setTimeout as sleep } from 'node:timers/promises'
import { startRedisProxy } from '../../../dev/redis/proxy.ts'
import { startRedis } from '../../../dev/redis/start.ts'
import { until } from '../../../dev/stack/until.ts'
import { judgeEvents, judgeSends } from '../check.ts'
import { verdictFigures, zero, type Outcome } from '../figures.ts'
import { startWorld } from '../world.ts'
import { arrivedOf } from './receiver.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface FullSize {
  sessions: number
  texts: number
  /** How long Redis is full: longer than a lease lasts, and shorter than the 35 s after which Baileys gives up a socket that holds a receipt back. */
  fullMs: number
  /** How long the provider refuses everything. */
  refusedMs: number
}

const QUOTA = 'ERR max requests limit exceeded. Limit: 500000, Usage: 500000. See https://upstash.com/docs'

/** Fills Redis, and has a provider refuse every command of the worker, while texts go out and come in. */
export async function fillRedis({ sessions: count, texts, fullMs, refusedMs }: FullSize): Promise<Outcome> {
  const redis = await startRedis()
  const proxy = await startRedisProxy(redis.url)
  const world = await startWorld({ given: { redisUrl: redis.url, worker: { REDIS_URL: proxy.url } } })
  try {
    const sessions = await world.link(count)
    const { inbox } = world.stack
    if (inbox === undefined) throw new Error('this scenario needs the inbox')
    let ended = 0
    for (const { child } of world.stack.workers) void child.exited.then(() => (ended += 1))
    const closes = async () => (await world.journal()).filter(({ kind }) => kind === 'close').length
    const sent: string[] = []
    const write = async () => {
      for (let n = 0; n < texts; n++) {
        for (const { phone, contact } of sessions) {
          sent.push(`inbound ${sent.length}`)
          await world.simulator.sendText(contact, phone, sent.at(-1) ?? '')
        }
      }
    }
    const before = await closes()
    await world.postTexts(sessions, texts)
    // What is delivered while Redis is full was stored before.
    await inbox.down()
    await write()
    await world.redis.config('SET', 'maxmemory', '1')
    await inbox.up()
    await write()
    await sleep(fullMs)
    const closed = (await closes()) - before
    await world.redis.config('SET', 'maxmemory', '0')
    await world.postTexts(sessions, texts)
    await world.settled(120_000).catch(() => undefined)

    await world.postTexts(sessions, texts)
    proxy.refuse(QUOTA)
    await write()
    await sleep(refusedMs)
    proxy.refuse(undefined)
    await world.postTexts(sessions, texts)
    await world.settled(120_000).catch(() => undefined)
    const events = () => judgeEvents(sent, inbox.arrivals().map(arrivedOf))
    await until('every event', () => events().lost.length === 0, { timeoutMs: 120_000, everyMs: 250 }).catch(
      () => undefined,
    )
    const { lost, twice, inversions, secondIds } = events()
    const verdict = verdictFigures(judgeSends(world.accepted, await world.received(), await world.journal()))
    return {
      fault: `Redis full for ${fullMs / 1000} s, and every command refused for ${refusedMs / 1000} s by a provider's quota`,
      done: `${count} sessions, ${world.accepted.length} sends, ${sent.length} inbound texts`,
      figures: [
        ...verdict.figures,
        zero('inbound texts lost', lost.length),
        zero('inbound texts in two events', twice.length),
        zero('order inversions of events', inversions.length),
        zero('second event ids', secondIds.length),
        zero('sockets that closed while it was full', closed),
        zero('workers that ended', ended),
      ],
      evidence: [...verdict.evidence, ...lost, ...twice, ...inversions, ...secondIds].slice(0, 10),
    }
  } finally {
    await world.close()
    await proxy.close()
    await redis.close()
  }
}
