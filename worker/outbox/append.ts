import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { keys } from '../../shared/keys.ts'
import { writeSessionView } from '../../shared/session.ts'
import type { Along, Outbox } from './outbox.ts'
import type { Clock } from '../core.ts'
import type { Fence } from '../ownership/fence.ts'
import { countWithin, createBatcher, type Batcher } from '../redis/batch.ts'
import { MOST_COMMAND_BYTES } from '../redis/fenced.ts'
import { persist } from '../redis/persist.ts'
import { readList } from '../redis/reads.ts'
import type { Budget } from './budget.ts'
import { appendScript, deleteScript } from './scripts.ts'

/** Most events that one script call stores; keeps the script short for everyone else on Redis. */
const BATCH = 64
/** Most bytes of their bodies, unless one alone has more: with names and ids they still fit into one command. */
const BATCH_BYTES = MOST_COMMAND_BYTES / 2

/** Told after an append: the session's newest seq, how many were added, and when (ms). */
export type Listener = (sessionId: string, seq: number, count: number, at: number) => void

/** The outbox of this process, and a way to hear of appends without asking Redis. */
export interface LocalOutbox extends Outbox {
  /** Calls back after each append in a partition, until the returned function is called. */
  listen(partition: number, listener: Listener): () => void
}

/** What the outbox is made of. */
export interface OutboxDeps {
  redis: Redis
  log: Logger
  clock: Clock
  budget: Pick<Budget, 'told'>
}

interface Append {
  kind: 'append'
  fence: Fence
  id: string
  body: string
  /** Of the body in UTF-8. */
  bytes: number
  along: Along
  resolve(seq: number): void
  reject(error: unknown): void
}

interface Delete {
  kind: 'delete'
  fence: Fence
  resolve(): void
  reject(error: unknown): void
}

/**
 * Makes the process's outbox. Calls for one session are stored in the order of the calls: one script at a time per
 * session, since a script that must be loaded first would let a later call overtake. What is called meanwhile goes
 * together in the next script, so a distant Redis slows no burst. A call outlasts outages of Redis.
 */
export function createOutbox({ redis, log, clock, budget }: OutboxDeps): LocalOutbox {
  const lines = new Map<string, Batcher<Append | Delete>>()
  const listeners = new Map<number, Set<Listener>>()

  function lineOf(sessionId: string): Batcher<Append | Delete> {
    const known = lines.get(sessionId)
    if (known !== undefined) return known
    const line = createBatcher<Append | Delete>({
      together: mayGoTogether,
      send: async calls => send(sessionId, calls),
      onIdle: () => lines.delete(sessionId),
    })
    lines.set(sessionId, line)
    return line
  }

  async function send(sessionId: string, calls: readonly (Append | Delete)[]): Promise<void> {
    try {
      const [first] = calls
      if (first?.kind === 'delete') await remove(sessionId, first)
      else if (first !== undefined) await store(sessionId, calls.filter(isAppend), first.fence)
    } catch (error) {
      for (const call of calls) call.reject(error)
    }
  }

  async function store(sessionId: string, calls: Append[], fence: Fence): Promise<void> {
    const at = clock.now()
    const events = calls.flatMap(call => [call.id, call.body])
    const received = calls.flatMap(({ along }) => along.received ?? [])
    const view = calls.findLast(({ along }) => along.view !== undefined)?.along.view
    const fields = view === undefined ? [] : Object.entries(writeSessionView(view)).flat()
    const args = [sessionId, at, calls.length, received.length, ...events, ...received, ...fields]
    const scriptKeys = [
      keys.cursor(sessionId),
      keys.outbox(sessionId),
      keys.undelivered(fence.partition),
      keys.session(sessionId),
      keys.received(sessionId),
    ]
    const reply = await persist(async () => appendScript.run(redis, fence, scriptKeys, args), fence, log)
    const [seq, bytes] = reply as [string, number]
    const last = Number(seq)
    budget.told(fence, sessionId, bytes)
    calls.forEach((call, i) => call.resolve(last - calls.length + 1 + i))
    for (const listener of listeners.get(fence.partition) ?? []) listener(sessionId, last, calls.length, at)
  }

  async function remove(sessionId: string, call: Delete): Promise<void> {
    const scriptKeys = [
      keys.cursor(sessionId),
      keys.outbox(sessionId),
      keys.undelivered(call.fence.partition),
      keys.session(sessionId),
      keys.poison(sessionId),
      keys.received(sessionId),
    ]
    await persist(async () => deleteScript.run(redis, call.fence, scriptKeys, [sessionId]), call.fence, log)
    call.resolve()
  }

  return {
    append: async (fence, event, along = {}) =>
      new Promise<number>((resolve, reject) => {
        // Serialised here, once: what is stored is what is signed and sent, and later changes of the object change nothing.
        const body = JSON.stringify(event)
        const bytes = Buffer.byteLength(body)
        lineOf(event.sessionId).add({ kind: 'append', fence, id: newEventId(), body, bytes, along, resolve, reject })
      }),
    received: async (fence, sessionId) =>
      persist(async () => readList(redis, fence, keys.received(sessionId)), fence, log),
    deleteAfterDelivery: async (fence, sessionId) =>
      new Promise<void>((resolve, reject) => {
        lineOf(sessionId).add({ kind: 'delete', fence, resolve, reject })
      }),
    listen(partition, listener) {
      const set = listeners.get(partition) ?? new Set()
      listeners.set(partition, set.add(listener))
      return () => void set.delete(listener)
    },
  }
}

/**
 * The `webhook-id` of an event: stored with it, so that it is the same in every attempt, and random, so that a session
 * that was deleted and made again, or a Redis that lost its last second, never gives an old id to a new event.
 */
export function newEventId(): string {
  return `evt_${randomBytes(16).toString('base64url')}`
}

/**
 * How many calls at the head of a line may go together: appends under one fence, with no deletion between them, and no more
 * bytes than a command may have. If large ones went with the others, Redis would refuse them all.
 */
function mayGoTogether(line: readonly (Append | Delete)[]): number {
  const [first] = line
  if (first === undefined || first.kind === 'delete') return 1
  const end = line.findIndex(call => call.kind === 'delete' || call.fence !== first.fence)
  return countWithin(line.slice(0, end === -1 ? BATCH + 1 : end), { count: BATCH, bytes: BATCH_BYTES }, sizeOf)
}

function sizeOf(call: Append | Delete): number {
  return isAppend(call) ? call.bytes : 0
}

function isAppend(call: Append | Delete): call is Append {
  return call.kind === 'append'
}
