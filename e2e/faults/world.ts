import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { createSimulatorClient, type SimulatorClient } from '../../dev/simulator/client.ts'
import type { JournalEntry } from '../../dev/simulator/journal.ts'
import type { Received } from '../../dev/simulator/received.ts'
import type { StackOptions } from '../../dev/stack/options.ts'
import { startStack, type Stack } from '../../dev/stack/stack.ts'
import { until } from '../../dev/stack/until.ts'
import { keys } from '../../shared/keys.ts'
import { QUEUE } from '../../shared/partition.ts'
import { layoutOf } from '../../worker/jobs/bullmq/layout.ts'
import { createApi, type Api } from '../api.ts'
import type { Accepted } from './check.ts'

/** A linked session, and the contact that only it writes to. */
export interface LinkedSession {
  sessionId: string
  phone: string
  contact: string
}

/** A job as it is posted. */
export type Post = Readonly<{ name: string; data: Readonly<Record<string, unknown>> }>

/** A running stack to break things in. */
export interface World {
  stack: Stack
  simulator: SimulatorClient
  api: Api
  redis: Redis
  /** Starts `count` sessions, numbered from `from` on, and links each. Resolves when all are open. */
  link(count: number, from?: number): Promise<LinkedSession[]>
  /** Posts jobs in batches of at most 100, and again until the edge has accepted them; true to its 503s. */
  post(jobs: readonly Post[]): Promise<void>
  /** Posts `count` texts for each session, in turn, numbered on from what was posted before. */
  postTexts(sessions: readonly LinkedSession[], count: number): Promise<void>
  /** All texts posted so far, and when the edge had accepted them (wall clock, ms). */
  readonly accepted: readonly (Accepted & { at: number })[]
  /** Resolves when every accepted text has arrived at the simulator, or throws after `timeoutMs`. */
  settled(timeoutMs: number): Promise<void>
  /** Resolves when no job is left in the queues or lanes. */
  idle(): Promise<void>
  received(): Promise<Received[]>
  journal(): Promise<JournalEntry[]>
  close(): Promise<void>
}

const BATCH = 100
/** Sessions that are linked at the same time: a QR lives for a minute, and all of a thousand take longer. */
const LINKED_AT_ONCE = 50
const ALL = 100_000

/** Starts a world of its own, with its data in a folder that goes when it closes. */
export async function startWorld(options: Omit<StackOptions, 'dir'>): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'kurir-faults-'))
  const path = process.env['PATH'] ?? ''
  const stack = await startStack({ path, ...options, dir })
  const simulator = createSimulatorClient(stack.simulator?.url ?? '')
  const api = createApi(stack)
  const redis = new Redis(stack.redis.url, { maxRetriesPerRequest: null })
  // A Redis that a test has killed is no surprise.
  redis.on('error', () => {})
  const accepted: (Accepted & { at: number })[] = []
  const headers = { authorization: `Bearer ${stack.apiKey}`, 'content-type': 'application/json' }

  async function post(jobs: readonly Post[]): Promise<void> {
    for (let i = 0; i < jobs.length; i += BATCH) {
      const key = crypto.randomUUID()
      await until(
        'the edge to accept a batch',
        async () => {
          const body = JSON.stringify({ jobs: jobs.slice(i, i + BATCH) })
          const request = { method: 'POST', headers: { ...headers, 'idempotency-key': key }, body }
          return (await fetch(`${stack.edge}/v1/jobs`, request)).status === 202
        },
        { timeoutMs: 120_000, everyMs: 250 },
      )
    }
  }

  async function linkOne(session: LinkedSession): Promise<void> {
    const { sessionId, phone } = session
    let scanned = ''
    await until(
      `${sessionId} to open`,
      async () => {
        const { state, qr } = (await api.session(sessionId)) ?? {}
        if (state === 'open') return true
        if (qr !== undefined && qr !== scanned) {
          await simulator.scan(qr, phone)
          scanned = qr
        }
        return false
      },
      { timeoutMs: 60_000, everyMs: 100 },
    ).catch(async error => explain(error, [sessionId]))
  }

  /** Rejects with the error and what the API says of some sessions. */
  async function explain(cause: unknown, sessionIds: readonly string[]): Promise<never> {
    const views = await Promise.all(sessionIds.map(async id => `${id}: ${JSON.stringify(await api.session(id))}`))
    throw new Error(`${cause instanceof Error ? cause.message : 'unknown'}; ${views.join('; ')}`, { cause })
  }

  return {
    stack,
    api,
    simulator,
    redis,
    accepted,
    post,
    async link(count, from = 0) {
      const sessions = Array.from({ length: count }, (_, i) => ({
        sessionId: `session-${from + i}`,
        phone: String(628_120_000_000 + from + i),
        contact: String(628_990_000_000 + from + i),
      }))
      for (let first = 0; first < count; first += LINKED_AT_ONCE) {
        const some = sessions.slice(first, first + LINKED_AT_ONCE)
        await post(some.map(({ sessionId }) => ({ name: 'START_SESSION', data: { sessionId } })))
        await Promise.all(some.map(linkOne))
      }
      return sessions
    },
    async postTexts(sessions, count) {
      const texts: (Accepted & { to: string })[] = []
      const places = new Map<string, number>()
      for (const { sessionId } of accepted) places.set(sessionId, (places.get(sessionId) ?? 0) + 1)
      for (let n = 0; n < count; n++) {
        for (const { sessionId, contact } of sessions) {
          const place = (places.get(sessionId) ?? 0) + 1
          places.set(sessionId, place)
          texts.push({ sessionId, place, text: `${sessionId} text ${place}`, to: contact })
        }
      }
      await post(texts.map(({ sessionId, text, to }) => ({ name: 'SEND_TEXT', data: { sessionId, to, text } })))
      const at = Date.now()
      for (const { sessionId, place, text } of texts) accepted.push({ sessionId, place, text, at })
    },
    async settled(timeoutMs) {
      const missing = new Set<string>()
      let since = 0
      let checked = 0
      await until(
        'all texts to arrive',
        async () => {
          for (; checked < accepted.length; checked++) missing.add(accepted[checked]?.text ?? '')
          const fresh = await simulator.received({ since, limit: ALL })
          for (const { text } of fresh) if (text !== undefined) missing.delete(text)
          since = fresh.at(-1)?.index ?? since
          return missing.size === 0
        },
        { timeoutMs, everyMs: 250 },
      ).catch(async error => {
        const late = accepted.filter(({ text }) => missing.has(text)).map(({ sessionId }) => sessionId)
        await explain(error, [...new Set(late)].slice(0, 5))
      })
    },
    async idle() {
      await until(
        'all jobs to end',
        async () => {
          const { wait, active, delayed } = layoutOf(QUEUE)
          const left = await Promise.all([
            redis.llen(wait),
            redis.llen(active),
            redis.zcard(delayed),
            redis.scard(keys.parked(0)),
          ])
          return left.every(count => count === 0)
        },
        { timeoutMs: 60_000, everyMs: 50 },
      )
    },
    received: () => simulator.received({ limit: ALL }),
    journal: () => simulator.log({ kind: 'login,close', limit: ALL }),
    async close() {
      redis.disconnect()
      await stack.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
