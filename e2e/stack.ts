import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, onTestFailed, beforeEach } from 'vitest'
import type { Arrival } from '../dev/inbox/arrival.ts'
import type { Inbox } from '../dev/inbox/inbox.ts'
import { createSimulatorClient, type SimulatorClient } from '../dev/simulator/client.ts'
import { onceEach, qrOf } from '../dev/stack/qr.ts'
import type { StackOptions } from '../dev/stack/options.ts'
import { startStack, type Stack } from '../dev/stack/stack.ts'
import { createApi, type Api } from './api.ts'

/** Lines of output that are shown of each part when a test fails. */
const SHOWN_LINES = 30

/** A whole Kurir and what a test looks at it with. */
export interface Harness {
  readonly stack: Stack
  api: Api
  simulator: SimulatorClient
  inbox: Inbox
  redis: Redis
  /** Everything that a part has printed so far. */
  readonly output: (source: string) => string[]
  /** Starts a session, has its QR scanned by `phone` (default: a new number), and waits until it is open. */
  readonly open: (sessionId: string, phone?: string) => Promise<{ phone: string }>
  readonly close: () => Promise<void>
}

/** How a harness differs from the default. */
export type HarnessOptions = Omit<StackOptions, 'dir' | 'onLine' | 'onArrival' | 'path'> & {
  /** Whether phones scan QRs by themselves; default true. */
  scan?: boolean
}

/** Starts a stack of its own, in a folder of its own. */
export async function openHarness({ scan = true, ...options }: HarnessOptions = {}): Promise<Harness> {
  const dir = await mkdtemp(join(tmpdir(), 'kurir-e2e-'))
  const output = new Map<string, string[]>()
  const phones = new Map<string, string>()
  let simulator: SimulatorClient | undefined
  const scanOnce = onceEach(({ sessionId, text }) => {
    // A scan that comes too late is told by the session, which stays closed and shows its next QR.
    if (scan) simulator?.scan(text, phones.get(sessionId)).catch(() => {})
  })
  const stack = await startStack({
    ...options,
    given: { ...options.given, worker: { LOG_LEVEL: 'debug', ...options.given?.worker } },
    dir,
    path: process.env['PATH'] ?? '',
    onLine(source, line) {
      const lines = output.get(source) ?? []
      output.set(source, lines)
      lines.push(line)
    },
    onArrival(arrival: Arrival) {
      const qr = qrOf(arrival)
      if (qr !== undefined) scanOnce(qr)
    },
  })
  if (stack.simulator === undefined || stack.inbox === undefined) throw new Error('a harness needs both')
  simulator = createSimulatorClient(stack.simulator.url)
  const api = createApi(stack)
  const redis = new Redis(stack.redis.url, { maxRetriesPerRequest: null })
  return {
    stack,
    api,
    simulator,
    inbox: stack.inbox,
    redis,
    output: source => output.get(source) ?? [],
    async open(sessionId, phone) {
      if (phone !== undefined) phones.set(sessionId, phone)
      await api.post({ name: 'START_SESSION', data: { sessionId } })
      const { jid } = await api.waitForSession(sessionId, 'open')
      return { phone: /^\d+/.exec(jid ?? '')?.[0] ?? '' }
    },
    async close() {
      redis.disconnect()
      await stack.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** One harness for all tests of a file. When a test fails, the last output of the workers and the edge is shown. */
export function useHarness(options?: HarnessOptions): () => Harness {
  let harness: Harness | undefined
  const get = () => {
    if (harness === undefined) throw new Error('the stack is not started yet')
    return harness
  }
  beforeAll(async () => {
    harness = await openHarness(options)
  })
  beforeEach(() => {
    onTestFailed(() => {
      const { stack, output } = get()
      for (const source of ['edge', ...stack.workers.map(({ name }) => name)]) {
        for (const line of output(source).slice(-SHOWN_LINES)) console.log(`${source} | ${line}`)
      }
    })
  })
  afterAll(() => harness?.close())
  return get
}
