import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { startChild, type Child } from '../stack/child.ts'
import { accepts, freePort } from '../stack/ports.ts'
import { until } from '../stack/until.ts'
import { findRedisServer } from './find.ts'

const START_TIMEOUT_MS = 20_000

/** What to start. Everything is optional. */
export interface RedisOptions {
  /** A Redis that runs already; nothing is started then. */
  url?: string
  /** Default: a free one. */
  port?: number
  /** Folder for its data, made when absent. Needed with `appendonly`. */
  dir?: string
  /** Keeps data over a restart. The embedded Redis cannot, whatever is asked. */
  appendonly?: boolean
  /** With `appendonly`: what a power cut may lose. `everysec` (the default): a second; `always`: nothing acknowledged. */
  fsync?: 'always' | 'everysec'
  /** Where redis-server is looked for; default: this process's PATH. */
  path?: string
  onLine?: (line: string) => void
}

/** A Redis on loopback. */
export interface RunningRedis {
  url: string
  kind: 'given' | 'redis-server' | 'embedded'
  /** The process we started; absent for a given one. */
  child?: Child
  close(): Promise<void>
}

/**
 * The Redis of a local stack: the given one, else redis-server from PATH, else one in JavaScript (js-redis-server:
 * no persistence and about 20 times slower, but it runs BullMQ and our scripts, and needs nothing installed).
 */
export async function startRedis(options: RedisOptions = {}): Promise<RunningRedis> {
  const { url, onLine } = options
  if (url !== undefined) return { url, kind: 'given', close: async () => {} }
  const server = findRedisServer(options.path)
  const port = options.port ?? (await freePort())
  const kind = server === undefined ? 'embedded' : 'redis-server'
  const child = await startChild({
    name: 'redis',
    command: server ?? process.execPath,
    args: server === undefined ? embeddedArguments(port) : serverArguments(port, options),
    env: { PATH: process.env['PATH'] },
    ...(onLine && { onLine }),
  })
  try {
    await ready(child, port)
  } catch (error) {
    await child.stop()
    throw error
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    kind,
    child,
    // The embedded one has nothing to save, and would wait for its clients to go.
    close: async () => void (await child.stop(...(kind === 'embedded' ? [0] : []))),
  }
}

function serverArguments(port: number, { dir, appendonly = false, fsync = 'everysec' }: RedisOptions): string[] {
  if (dir !== undefined) mkdirSync(dir, { recursive: true, mode: 0o700 })
  const flags = {
    port: String(port),
    bind: '127.0.0.1',
    save: '',
    appendonly: appendonly ? 'yes' : 'no',
    appendfsync: fsync,
    'maxmemory-policy': 'noeviction',
    ...(dir !== undefined && { dir }),
  }
  return Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])
}

function embeddedArguments(port: number): string[] {
  const entry = createRequire(import.meta.url).resolve('js-redis-server')
  return [join(dirname(entry), 'cli.js'), '--single', '--port', String(port)]
}

/** redis-server accepts connections before it has read its append-only file, so its own word counts too. */
async function ready(child: Child, port: number): Promise<void> {
  const ended = new AbortController()
  void child.exited.then(() => ended.abort(new Error(`redis did not start:\n${child.lines().join('\n')}`)))
  await until(
    'redis to be ready',
    async () => child.lines().some(line => /ready to accept connections|listening/i.test(line)) && accepts(port),
    { timeoutMs: START_TIMEOUT_MS, signal: ended.signal },
  )
}
