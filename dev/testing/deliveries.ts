import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest'
import { keys } from '../../shared/keys.ts'
import { importSecret, type SigningKey } from '../../shared/signature.ts'
import { createGuardedAgent } from '../../worker/net/guard.ts'
import { createBudget, type Budget } from '../../worker/outbox/budget.ts'
import { createOutbox, type LocalOutbox } from '../../worker/outbox/append.ts'
import { createDeliverer, type Deliverer, type DelivererDeps } from '../../worker/outbox/deliverer.ts'
import { createEndpoint } from '../../worker/outbox/endpoint.ts'
import { createGate } from '../../worker/outbox/gate.ts'
import type { RetryPolicy } from '../../worker/outbox/schedule.ts'
import { createWindow } from '../../worker/outbox/window.ts'
import { late } from './late.ts'
import { log, message, receiver, testClock, testRedis, type TestFence } from './outbox.ts'

export const DAY = 86_400_000

/** Retries at once: what matters in these tests is what happens, and the times are schedule.test's. */
export const policy: RetryPolicy = { delays: [5], giveUpAfterMs: 7 * DAY, longestRetryAfterMs: DAY }

/** `count` texts to tell events by: '0', '1', ... */
export const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => String(i + from))

/** A deliverer that a test has started. */
export interface Running {
  deliverer: Deliverer
  /** Ends it as a worker does that shuts down. */
  stop: () => Promise<void>
  /** Resolves when it has ended, by itself or not. */
  ended: Promise<void>
}

interface Parts {
  secrets: SigningKey[]
  server: ReturnType<typeof testRedis>
  hook: Awaited<ReturnType<typeof receiver>>
  clock: ReturnType<typeof testClock>
  budget: Budget
  outbox: LocalOutbox
  fence: TestFence
}

/** A test file's Redis, and for each of its tests an outbox, a receiver, a clock and a lease. */
export function deliveryRig(startRedis: () => Promise<{ url: string; close(): Promise<void> }>) {
  const agent = createGuardedAgent({ allowHosts: new Set(), isPublic: address => address === '127.0.0.1' })
  const running: (Running & { fence: TestFence })[] = []

  const parts = late<Parts>()

  beforeAll(async () => {
    parts.provide({
      secrets: [await importSecret(`whsec_${btoa('s'.repeat(32))}`)],
      server: testRedis(await startRedis()),
    })
  })
  afterAll(async () => {
    await agent.close()
    await parts.server.close()
  })
  beforeEach(async () => {
    const { redis } = parts.server
    await redis.flushall()
    const clock = testClock()
    const budget = createBudget({ session: 1_000_000, partition: 2_000_000 })
    parts.provide({ clock, budget, hook: await receiver(), outbox: createOutbox({ redis, log, clock, budget }) })
    rig.fence = await parts.server.claim()
  })
  afterEach(async () => {
    for (const { fence } of running) fence.abort()
    await Promise.all(running.splice(0).map(async ({ ended }) => ended))
    await parts.hook.close()
  })

  const rig = {
    get server() {
      return parts.server
    },
    get hook() {
      return parts.hook
    },
    get clock() {
      return parts.clock
    },
    get budget() {
      return parts.budget
    },
    get outbox() {
      return parts.outbox
    },
    get secrets() {
      return parts.secrets
    },
    /** The newest lease; the next deliverer has it. */
    get fence() {
      return parts.fence
    },
    set fence(fence: TestFence) {
      parts.provide({ fence })
    },

    start(options: Partial<Omit<DelivererDeps, 'fence'>> & { fence?: TestFence } = {}): Running {
      const { server, clock, outbox, budget, fence, hook, secrets } = rig
      const gate = options.gate ?? createGate({ log, pauses: [20], random: () => 0 })
      const deps = {
        redis: server.redis,
        log,
        clock,
        fence,
        outbox,
        budget,
        policy,
        attempt: createEndpoint({
          url: hook.url,
          secrets,
          dispatcher: agent,
          clock,
          timeoutMs: 15_000,
          generation: () => 1,
        }),
        gate,
        window: createWindow(gate),
        random: () => 0,
        ...options,
      }
      const deliverer = createDeliverer(deps)
      const stopping = new AbortController()
      const ended = deliverer.run(stopping.signal)
      const stop = async () => {
        stopping.abort()
        await ended
      }
      running.push({ deliverer, stop, ended, fence: deps.fence })
      return { deliverer, stop, ended }
    },

    append: async (sessionId: string, ...texts: string[]) =>
      Promise.all(texts.map(async text => rig.outbox.append(rig.fence, message(sessionId, text)))),

    /** Waits until nothing awaits delivery. */
    settled: async () => eventually(async () => expect(await rig.server.redis.zcard(keys.undelivered(0))).toBe(0)),

    /** A field of what Redis knows of a session's outbox. */
    field: async (sessionId: string, name: string) => rig.server.redis.hget(keys.cursor(sessionId), name),
  }
  return rig
}

/** Resolves when `check` passes: soon, but on a busy machine not within the second that is usual. */
export async function eventually(check: () => unknown): Promise<void> {
  await vi.waitFor(check, { timeout: 10_000 })
}
