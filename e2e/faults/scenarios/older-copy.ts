import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startRedis } from '../../../dev/redis/start.ts'
import { freePort } from '../../../dev/stack/ports.ts'
import { until } from '../../../dev/stack/until.ts'
import type { Arrival } from '../../../dev/inbox/arrival.ts'
import { judgeEvents, judgeSends, type Accepted } from '../check.ts'
import { verdictFigures, zero, type Outcome } from '../figures.ts'
import { startWorld, type LinkedSession } from '../world.ts'
import { arrivedOf } from './receiver.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface OlderCopySize {
  sessions: number
  /** Texts each way and session, before the copy, after it, and after it was put back. */
  texts: number
  /** How often a copy is put back. */
  times: number
}

const BEAT_MS = 3500
/** A worker looks every 3 s, and needs a second to connect. */
const NOTICED_MS = 8000

/** Puts an older copy of the data back while the worker runs, and uses Kurir on. */
export async function putOlderCopyBack({ sessions: count, texts, times }: OlderCopySize): Promise<Outcome> {
  const dir = await mkdtemp(join(tmpdir(), 'kurir-copy-'))
  const start = { dir, port: await freePort() }
  let redis = await startRedis(start)
  const world = await startWorld({ given: { redisUrl: redis.url } })
  try {
    const sessions = await world.link(count)
    const { inbox } = world.stack
    const [worker] = world.stack.workers
    if (inbox === undefined || worker === undefined) throw new Error('this scenario needs the inbox and a worker')
    const accepted: Accepted[] = []
    const written: string[] = []
    const ids: string[] = []
    const generation = async () => {
      const metrics = await (await fetch(`${worker.url}/metrics`)).text()
      return Number(/^kurir_redis_generation (\d+)/m.exec(metrics)?.[1])
    }

    /** Texts both ways; resolves when all have arrived. Answers the ids of the jobs. */
    async function use(): Promise<string[]> {
      const jobs = sessions.flatMap(session => Array.from({ length: texts }, () => textJob(session, accepted)))
      const posted = await world.api.postAll(jobs)
      const told: string[] = []
      for (const { phone, contact } of sessions) {
        told.push(`inbound ${written.length + told.length}`)
        await world.simulator.sendText(contact, phone, told.at(-1) ?? '')
      }
      written.push(...told)
      await Promise.all(posted.map(async job => world.api.waitForEnd(job, 60_000)))
      await until('the events', () => judged(told).lost.length === 0, { timeoutMs: 60_000 })
      return posted.map(({ id }) => id)
    }
    function judged(told: readonly string[] = written) {
      return judgeEvents(told, inbox?.arrivals().map(ofGeneration) ?? [])
    }

    ids.push(...(await use()))
    let noticedMs = 0
    let unnoticed = 0
    for (let i = 0; i < times; i++) {
      await world.idle()
      await world.redis.save()
      const before = await generation()
      // Every other copy is older than a beat; the rest is as old as what a crash takes.
      if (i % 2 === 1) await sleep(BEAT_MS)
      ids.push(...(await use()))
      redis.child?.signal('SIGKILL')
      await redis.child?.exited
      redis = await startRedis(start)
      const at = Date.now()
      await until('the worker to notice', async () => (await generation()) > before, { timeoutMs: 20_000 }).catch(
        () => (unnoticed += 1),
      )
      noticedMs = Math.max(noticedMs, Date.now() - at)
      await until('the edge to be back', async () => world.api.session(sessions[0]?.sessionId ?? ''))
      ids.push(...(await use()))
    }
    const { lost, twice, inversions, secondIds } = judged()
    const verdict = verdictFigures(judgeSends(accepted, await world.received(), await world.journal()))
    return {
      fault: 'an older copy of the data is put back',
      done: `${times} times, ${count} sessions, ${accepted.length} sends, ${written.length} inbound texts`,
      figures: [
        ...verdict.figures,
        zero('copies that nobody noticed', unnoticed),
        zero('job ids given twice', ids.length - new Set(ids).size),
        zero('inbound texts lost', lost.length),
        zero('inbound texts in two events', twice.length),
        zero('order inversions of events in a generation', inversions.length),
        zero('second event ids in a generation', secondIds.length),
        { name: 'longest until it was noticed', value: noticedMs, limit: NOTICED_MS, unit: 'ms' },
      ],
      evidence: [...verdict.evidence, ...lost, ...twice, ...inversions, ...secondIds].slice(0, 10),
    }
  } finally {
    await world.close()
    await redis.close()
    await rm(dir, { recursive: true, force: true })
  }
}

function textJob({ sessionId, contact }: LinkedSession, accepted: Accepted[]) {
  const place = accepted.filter(job => job.sessionId === sessionId).length + 1
  const text = `${sessionId} text ${place}`
  accepted.push({ sessionId, place, text })
  return { name: 'SEND_TEXT', data: { sessionId, to: contact, text } }
}

/** Seqs are counted within a generation, so each is a line of its own to the judge. */
function ofGeneration(arrival: Arrival) {
  const arrived = arrivedOf(arrival)
  return { ...arrived, sessionId: `${arrived.sessionId} of ${arrival.generation ?? 0}` }
}
