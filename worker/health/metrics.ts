import { collectDefaultMetrics, Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { JOB_NAMES, type JobName } from '../../shared/contract.ts'
import type { JobCode } from '../../shared/errors.ts'
import { SESSION_STATES, type SessionState } from '../../shared/session.ts'
import type { Clock } from '../core.ts'

/** What waits somewhere: how much, and since when (ms) the oldest of it. */
export interface Waiting {
  count: number
  oldestAt?: number | undefined
  /** Absent where nobody counts them. */
  bytes?: number
}

/** What one owned partition shows when metrics are asked for. Nothing is counted while nobody asks. */
export interface PartitionSource {
  partition: number
  epoch: number
  /** How many sessions are in each state. */
  sessions(): Partial<Record<SessionState, number>>
  /** Jobs that were fetched or parked and have not ended. */
  lanes(): Waiting | Promise<Waiting>
  /** Events that were not delivered. */
  outbox(): Promise<Waiting>
}

/** How an attempt of a delivery ended. */
export type DeliveryOutcome = 'delivered' | 'retry' | 'gone' | 'aborted'

/** What the worker's parts tell. Each is safe to call at any rate; none throws. */
export interface Metrics {
  /** Shows a partition until the returned function is called: call it when the lease is lost or released. */
  watch(source: PartitionSource): () => void
  /** A job ended for good; `seconds` from fetching it. `code` when it failed. */
  jobEnded(name: JobName, seconds: number, code?: JobCode): void
  /** An attempt to deliver an event ended. Fits `onAttempt` of the deliverer. */
  attemptEnded(outcome: { kind: DeliveryOutcome }, seconds: number): void
  /** An event was given up; alert on it. Fits `onParked` of the deliverer. */
  eventParked(): void
  /** What could not be read or ended was set aside; alert on it. */
  jobSetAside(reason: string): void
  /** A message from WhatsApp could not be made an event, and was left out. */
  messageSetAside(): void
  /** A message from WhatsApp was given up that cannot be decrypted here. */
  messageUnread(reason: string): void
  /** A session began to leave its messages at WhatsApp, because too much awaits delivery; alert on it. */
  inboundPaused(): void
  /** A session's connection closed with this code of WhatsApp's or Baileys', and it will reconnect. */
  reconnecting(code: number): void
}

/** How the metrics are made. */
export interface MetricsDeps {
  /** One per process; `/metrics` shows it. */
  registry: Registry
  clock: Clock
  /** The webhook endpoint's state; shown as 1 under its name. */
  endpoint: () => string
}

const ENDPOINT_STATES = ['up', 'down', 'disabled']
/** A scrape does not wait longer than this for Redis; the value is missing then. */
const SOURCE_TIMEOUT_MS = 2000

/** Defines every metric of the worker in the registry, with those of the Node process, event loop lag among them. */
export function createMetrics({ registry, clock, endpoint }: MetricsDeps): Metrics {
  const sources = new Set<PartitionSource>()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })

  gauge('kurir_sessions', 'Sessions by state', ['state'], async set => {
    for (const state of SESSION_STATES) {
      let count = 0
      for (const source of sources) count += source.sessions()[state] ?? 0
      set({ state }, count)
    }
  })
  waiting('kurir_lane', 'jobs that wait or run', source => source.lanes())
  waiting('kurir_outbox', 'events that were not delivered', source => source.outbox(), true)
  gauge('kurir_lease_epoch', 'Epoch of each partition that this worker owns', ['partition'], async set => {
    for (const { partition, epoch } of sources) set({ partition }, epoch)
  })
  gauge('kurir_webhook_endpoint', 'State of the webhook endpoint', ['state'], async set => {
    for (const state of ENDPOINT_STATES) set({ state }, endpoint() === state ? 1 : 0)
  })

  const jobs = new Counter({
    name: 'kurir_jobs_total',
    help: 'Jobs that ended, by name and result: completed, or the code of the failure',
    labelNames: ['job', 'result'],
    registers,
  })
  const jobSeconds = new Histogram({
    name: 'kurir_job_seconds',
    help: 'Time from fetching a job to its end',
    labelNames: ['job'],
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    registers,
  })
  for (const job of JOB_NAMES) jobs.inc({ job, result: 'completed' }, 0)
  const deliveries = new Counter({
    name: 'kurir_deliveries_total',
    help: 'Attempts to deliver an event, by outcome',
    labelNames: ['outcome'],
    registers,
  })
  for (const outcome of ['delivered', 'retry', 'gone', 'aborted']) deliveries.inc({ outcome }, 0)
  const parked = new Counter({
    name: 'kurir_events_parked_total',
    help: 'Events that were given up after days of attempts and wait for a person',
    registers,
  })
  const aside = new Counter({
    name: 'kurir_jobs_aside_total',
    help: 'Jobs and keys of the queue that could not be read or ended and were set aside, by reason',
    labelNames: ['reason'],
    registers,
  })
  aside.inc({ reason: 'NO_JOB' }, 0)
  const setAside = new Counter({
    name: 'kurir_messages_set_aside_total',
    help: 'Messages from WhatsApp that could not be made an event, and were left out',
    registers,
  })
  const unread = new Counter({
    name: 'kurir_messages_undecryptable_total',
    help: 'Messages from WhatsApp that could not be decrypted and will not come again, by reason',
    labelNames: ['reason'],
    registers,
  })
  unread.inc({ reason: 'no_session' }, 0)
  const inboundPauses = new Counter({
    name: 'kurir_inbound_pauses_total',
    help: 'Times that a session began to leave its messages at WhatsApp, because too much awaits delivery',
    registers,
  })
  const deliverySeconds = new Histogram({
    name: 'kurir_delivery_seconds',
    help: 'Time of an attempt to deliver an event',
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15],
    registers,
  })
  const reconnects = new Counter({
    name: 'kurir_reconnects_total',
    help: 'Connections to WhatsApp that closed and are made again, by code',
    labelNames: ['code'],
    registers,
  })

  /** A gauge whose values are asked for at each scrape; labels that are not set then are gone. */
  function gauge(name: string, help: string, labelNames: string[], fill: (set: SetValue) => Promise<void>): void {
    const own: Gauge = new Gauge({
      name,
      help,
      labelNames,
      registers,
      async collect() {
        own.reset()
        await fill((labels, value) => own.set(labels, value))
      },
    })
  }

  /** Two or three gauges about what waits in each partition; one question serves all. */
  function waiting(
    prefix: string,
    what: string,
    ask: (source: PartitionSource) => Waiting | Promise<Waiting>,
    inBytes = false,
  ): void {
    const askAll = async () =>
      Promise.all(
        Array.from(sources, async source => ({
          partition: source.partition,
          answer: await inTime(async () => ask(source)),
        })),
      )
    let asked: ReturnType<typeof askAll> | undefined
    const answers = async () => {
      asked ??= askAll().finally(() => (asked = undefined))
      return asked
    }
    const show = (name: string, help: string, value: (answer: Waiting) => number | undefined) =>
      gauge(`${prefix}_${name}`, `${help} ${what}`, ['partition'], async set => {
        for (const { partition, answer } of await answers()) {
          const shown = answer && value(answer)
          if (shown !== undefined) set({ partition }, shown)
        }
      })
    show('depth', 'Number of', answer => answer.count)
    if (inBytes) show('bytes', 'Bytes of', answer => answer.bytes)
    show('oldest_seconds', 'Age of the oldest of the', ({ oldestAt }) =>
      oldestAt === undefined ? 0 : Math.max(0, clock.now() - oldestAt) / 1000,
    )
  }

  return {
    watch(source) {
      sources.add(source)
      return () => void sources.delete(source)
    },
    jobEnded(job, seconds, code) {
      jobs.inc({ job, result: code ?? 'completed' })
      jobSeconds.observe({ job }, seconds)
    },
    attemptEnded({ kind }, seconds) {
      deliveries.inc({ outcome: kind })
      deliverySeconds.observe(seconds)
    },
    eventParked: () => parked.inc(),
    jobSetAside: reason => aside.inc({ reason }),
    messageSetAside: () => setAside.inc(),
    messageUnread: reason => unread.inc({ reason }),
    inboundPaused: () => inboundPauses.inc(),
    reconnecting: code => reconnects.inc({ code }),
  }
}

type SetValue = (labels: Record<string, string | number>, value: number) => void

/** What a source answers, or undefined if it fails or Redis is away: the other metrics are needed most then. */
async function inTime<T>(ask: () => Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => {
    timer = setTimeout(() => resolve(undefined), SOURCE_TIMEOUT_MS)
  })
  try {
    return await Promise.race([ask(), late])
  } catch {
    return undefined
  } finally {
    clearTimeout(timer)
  }
}
