import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { startChild } from '../../dev/stack/child.ts'
import { freePort } from '../../dev/stack/ports.ts'
import { until } from '../../dev/stack/until.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const ENTRY = fileURLToPath(new URL('entry.ts', import.meta.url))
const START_TIMEOUT_MS = 60_000

/** A worker under workerd, as `wrangler dev` runs it. */
export interface RunningWorker {
  url: string
  /** The group of its processes: wrangler's Node and workerd. */
  group: number
  close(): Promise<void>
}

/** Runs the bench's worker with these bindings. */
export async function startWorker(bindings: Readonly<Record<string, string>>): Promise<RunningWorker> {
  const dir = await mkdtemp(join(tmpdir(), 'kurir-bench-'))
  const port = await freePort()
  const envFile = join(dir, 'env')
  const lines = Object.entries(bindings).map(([name, value]) => `${name}="${value}"\n`)
  await writeFile(envFile, lines.join(''), { mode: 0o600 })
  const flags = {
    ip: '127.0.0.1',
    port: String(port),
    'inspector-port': '0',
    'show-interactive-dev-session': 'false',
    'env-file': envFile,
    'persist-to': join(dir, 'state'),
    'log-level': 'error',
  }
  const child = await wrangler(dir, ['dev', ENTRY, ...toArguments(flags)])
  const url = `http://127.0.0.1:${port}`
  const close = async () => {
    await child.stop()
    await rm(dir, { recursive: true, force: true })
  }
  try {
    const answers = async () => (await fetch(`${url}/nothing`)).status === 202
    await until('the worker', answers, { timeoutMs: START_TIMEOUT_MS })
  } catch (error) {
    await close()
    throw error
  }
  return { url, group: child.pid, close }
}

/** Bundles the edge as a deployment would, and gives the bundle's size in bytes, plain and gzipped. */
export async function measureBundle(): Promise<{ bytes: number; gzip: number }> {
  const dir = await mkdtemp(join(tmpdir(), 'kurir-bench-'))
  try {
    const child = await wrangler(dir, ['deploy', '--dry-run', `--outdir=${join(dir, 'out')}`])
    const { code } = await child.exited
    if (code !== 0) throw new Error(`wrangler deploy --dry-run failed:\n${child.lines().join('\n')}`)
    const sizes = { bytes: 0, gzip: 0 }
    for (const name of await readdir(join(dir, 'out'))) {
      if (!name.endsWith('.js')) continue
      const code = await readFile(join(dir, 'out', name))
      sizes.bytes += code.length
      sizes.gzip += gzipSync(code).length
    }
    return sizes
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

function wrangler(dir: string, args: readonly string[]) {
  return startChild({
    name: 'wrangler',
    command: process.execPath,
    args: ['--no-warnings', createRequire(import.meta.url).resolve('wrangler'), ...args],
    cwd: ROOT,
    env: {
      PATH: process.env['PATH'],
      HOME: dir,
      XDG_CONFIG_HOME: dir,
      CI: 'true',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_SEND_ERROR_REPORTS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      WRANGLER_WRITE_LOGS: 'false',
    },
  })
}

function toArguments(flags: Readonly<Record<string, string>>): string[] {
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
}
