import { DEFAULT_CONNECTION_CONFIG, type WAVersion } from '@whiskeysockets/baileys'
import { Gauge, type Registry } from 'prom-client'
import { request, type Dispatcher } from 'undici'
import { keys } from '../../shared/keys.ts'
import { readJson } from '../../shared/json.ts'
import type { Core } from '../core.ts'

/**
 * Which version of WhatsApp Web sockets say they are. WhatsApp refuses old ones: first it links no new devices with them, then
 * it answers 405 to all. The one built into Baileys is as old as its release, so the current one is looked up.
 */
export interface WebVersion {
  /** What to say now. */
  current(): WAVersion
  /**
   * Looks for one now, and again every six hours. Resolves when Redis knows one that another worker has found, or else when
   * this worker has looked, 10 s at most. Never rejects.
   */
  start(): Promise<void>
  /**
   * Looks for a newer one when what is known is older than six hours, or was refused. Several calls at once are one, and
   * none comes sooner than a minute after the last. Never rejects: what is known stays.
   */
  refresh(reason?: 'refused'): Promise<void>
}

/** What knowing the version needs. */
export interface WebVersionDeps extends Core {
  registry: Registry
  /** Of the operator; then nothing is looked up. */
  given: WAVersion | undefined
  /** The script of WhatsApp Web that names its version. Absent: nothing is looked up, such as against a simulator. */
  url: URL | undefined
  agent: Dispatcher
}

const FRESH_MS = 6 * 60 * 60 * 1000
const LEAST_PAUSE_MS = 60_000
/** Of the whole fetch. */
const FETCH_MS = 10_000
/** The script has some 20 KB. */
const MOST_BYTES = 1024 * 1024
/** WhatsApp answers a client that does not look like a page that is opened by hand with another script. */
const HEADERS = {
  'sec-fetch-site': 'none',
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
}
const REVISION = /\\?"client_revision\\?":\s*(\d{9,12})\b/

/** What is kept in Redis for all workers. */
interface Found {
  version: WAVersion
  /** ms. */
  at: number
}

/** See {@link WebVersion}. */
export function createWebVersion(deps: WebVersionDeps): WebVersion {
  const { redis, log, clock, url, agent } = deps
  const builtIn = DEFAULT_CONNECTION_CONFIG.version
  let found: Found | undefined
  let looking: Promise<void> | undefined
  let lookedAt = -Infinity

  const current = (): WAVersion => deps.given ?? found?.version ?? builtIn
  const source = (): string => (deps.given ? 'setting' : found ? 'fetched' : 'built-in')

  const shown = new Gauge({
    name: 'kurir_whatsapp_web_version_info',
    help: 'The version of WhatsApp Web that sockets say they are, and where it is from',
    labelNames: ['version', 'source'],
    registers: [],
    collect() {
      this.reset()
      this.set({ version: current().join('.'), source: source() }, 1)
    },
  })
  deps.registry.registerMetric(shown)

  async function look(refused: boolean, onKnown: () => void): Promise<void> {
    const before = current().join('.')
    try {
      take(readFound(await redis.get(keys.webVersion)))
      if (found !== undefined) onKnown()
      const isFresh = found !== undefined && clock.now() - found.at < FRESH_MS
      // Another worker may have found a newer one since ours was refused.
      if (url !== undefined && (!isFresh || (refused && current().join('.') === before))) {
        take({ version: [builtIn[0], builtIn[1], await fetchRevision(url, agent)], at: clock.now() })
        await redis.set(keys.webVersion, JSON.stringify(found))
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'unknown'
      log.warn(
        { version: current().join('.'), source: source(), reason },
        'the version of whatsapp web was not found out',
      )
      return
    }
    log.info({ version: current().join('.'), source: source() }, 'version of whatsapp web')
  }

  /** An older one than the built-in is of no use, whoever says so. */
  function take(next: Found | undefined): void {
    if (next !== undefined && next.version[2] >= builtIn[2]) found = next
  }

  async function refresh(refused: boolean, onKnown = () => {}): Promise<void> {
    if (deps.given !== undefined) return
    if (looking === undefined && clock.monotonic() - lookedAt >= LEAST_PAUSE_MS) {
      lookedAt = clock.monotonic()
      looking = look(refused, onKnown).finally(() => (looking = undefined))
    }
    await looking
  }

  return {
    current,
    async start() {
      setInterval(() => void refresh(false), FRESH_MS).unref()
      const { promise: known, resolve } = Promise.withResolvers<void>()
      await Promise.race([known, refresh(false, resolve)])
    },
    refresh: async reason => refresh(reason === 'refused'),
  }
}

/** Rejects with a sentence that can be logged. */
async function fetchRevision(url: URL, dispatcher: Dispatcher): Promise<number> {
  const signal = AbortSignal.timeout(FETCH_MS)
  const { statusCode, body } = await request(url, { dispatcher, signal, headers: HEADERS })
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    if (statusCode !== 200) throw new Error(`${url.host} answered ${statusCode}`)
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > MOST_BYTES) throw new Error(`${url.host} answered more than ${MOST_BYTES} bytes`)
      chunks.push(chunk)
    }
  } finally {
    // Without a listener the destroyed body's error would end the process.
    body.on('error', () => {})
    body.destroy()
  }
  const revision = REVISION.exec(Buffer.concat(chunks).toString())?.[1]
  if (revision === undefined) throw new Error(`${url.host} names no version`)
  return Number(revision)
}

function readFound(text: string | null): Found | undefined {
  const value = readJson(text ?? undefined) as Partial<Found> | undefined
  const numbers =
    Array.isArray(value?.version) && value.version.length === 3 && value.version.every(Number.isSafeInteger)
  return numbers && typeof value?.at === 'number' ? (value as Found) : undefined
}
