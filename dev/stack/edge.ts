import { mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startChild, type Child } from './child.ts'
import { childReady } from './ready.ts'
import { writePrivate } from './private.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What the edge is given. */
export interface EdgeOptions {
  /** For wrangler's state, its own settings and the file with the bindings. */
  dir: string
  port: number
  restUrl: string
  restToken: string
  /** Comma-separated. */
  apiKeys: string
  partitions: number
  /** Of the machine, to find the user's proxy settings and the like; secrets of ours are not in it. */
  path: string
  signal: AbortSignal
  onLine?: (line: string) => void
}

/** The edge under workerd. */
export interface Edge {
  url: string
  child: Child
  close(): Promise<unknown>
}

/**
 * Runs edge/ with `wrangler dev`. Its bindings are in a file that only the owner can read: a command line can be read
 * by every user of the machine. Everything that would leave the machine, or write outside of `dir`, is off.
 */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const { dir, port, signal, onLine } = options
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const bindings = join(dir, 'edge.env')
  await writePrivate(
    bindings,
    [
      `UPSTASH_REDIS_REST_URL="${options.restUrl}"`,
      `UPSTASH_REDIS_REST_TOKEN="${options.restToken}"`,
      `API_KEYS="${options.apiKeys}"`,
      `PARTITIONS="${options.partitions}"`,
      '',
    ].join('\n'),
  )
  const flags = {
    ip: '127.0.0.1',
    port: String(port),
    'inspector-port': '0',
    'show-interactive-dev-session': 'false',
    'env-file': bindings,
    'persist-to': join(dir, 'workerd'),
    'log-level': 'warn',
  }
  const child = await startChild({
    name: 'edge',
    command: process.execPath,
    args: [
      '--no-warnings',
      createRequire(import.meta.url).resolve('wrangler'),
      'dev',
      ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
    ],
    cwd: ROOT,
    env: {
      PATH: options.path,
      HOME: dir,
      XDG_CONFIG_HOME: join(dir, 'wrangler'),
      CI: 'true',
      NO_COLOR: '1',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_SEND_ERROR_REPORTS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      WRANGLER_WRITE_LOGS: 'false',
    },
    ...(onLine && { onLine }),
  })
  const url = `http://127.0.0.1:${port}`
  const authorization = `Bearer ${options.apiKeys.split(',')[0] ?? ''}`
  await childReady(child, signal, async () => (await fetch(`${url}/v1/health`, { headers: { authorization } })).ok)
  return { url, child, close: () => child.stop() }
}
