import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { startChild, type Child } from '../../dev/stack/child.ts'
import { freePort } from '../../dev/stack/ports.ts'
import { until } from '../../dev/stack/until.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const ENTRY = fileURLToPath(new URL('entry.ts', import.meta.url))
const START_TIMEOUT_MS = 60_000
const { resolve } = createRequire(import.meta.url)

/** What a worker is given as its environment. */
export type Bindings = Readonly<Record<string, string>>

/** A running worker. */
export interface RunningWorker {
  url: string
  /** The group of its processes; those of them that are workerd run the worker. */
  group: number
  close(): Promise<void>
}

/** Runs the bench's worker as `wrangler dev` does: in workerd, behind a proxy in a second workerd. */
export function startInWrangler(bindings: Bindings): Promise<RunningWorker> {
  return start(async (dir, port) => {
    const lines = Object.entries(bindings).map(([name, value]) => `${name}="${value}"\n`)
    await writeFile(join(dir, 'env'), lines.join(''), { mode: 0o600 })
    const flags = [
      `--port=${port}`,
      '--ip=127.0.0.1',
      '--inspector-port=0',
      '--show-interactive-dev-session=false',
      `--env-file=${join(dir, 'env')}`,
      `--persist-to=${join(dir, 'state')}`,
      '--log-level=error',
    ]
    return wrangler(dir, ['dev', ENTRY, ...flags])
  })
}

/** Runs the bundle that would be deployed in workerd alone, with nothing before it. */
export function startInWorkerd(bindings: Bindings): Promise<RunningWorker> {
  return start(async (dir, port) => {
    await bundle(dir, ENTRY)
    const text = (value: string) => JSON.stringify(value)
    const list = Object.entries(bindings).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`)
    const toml = await readFile(join(ROOT, 'wrangler.toml'), 'utf8')
    const [, date = ''] = /^compatibility_date = "([\d-]+)"$/m.exec(toml) ?? []
    const config = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "everywhere", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "entry.js", esModule = embed "out/entry.js")],
  compatibilityDate = ${text(date)},
  globalOutbound = "everywhere",
  bindings = [${list.join(', ')}],
);
`
    await writeFile(join(dir, 'config.capnp'), config, { mode: 0o600 })
    return child(dir, resolve('workerd/bin/workerd'), ['serve', join(dir, 'config.capnp')])
  })
}

/** The size in bytes of the edge's own bundle, gzipped. */
export async function measureBundle(): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), 'kurir-bench-'))
  try {
    await bundle(dir)
    const names = (await readdir(join(dir, 'out'))).filter(name => name.endsWith('.js'))
    const files = await Promise.all(names.map(name => readFile(join(dir, 'out', name))))
    return files.reduce((sum, file) => sum + gzipSync(file).length, 0)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function start(launch: (dir: string, port: number) => Promise<Child>): Promise<RunningWorker> {
  const dir = await mkdtemp(join(tmpdir(), 'kurir-bench-'))
  const port = await freePort()
  const started = await launch(dir, port)
  const url = `http://127.0.0.1:${port}`
  const close = async () => {
    await started.stop()
    await rm(dir, { recursive: true, force: true })
  }
  try {
    const answers = async () => (await fetch(`${url}/nothing`)).status === 202
    await until('the worker', answers, { timeoutMs: START_TIMEOUT_MS })
  } catch (error) {
    await close()
    throw error
  }
  return { url, group: started.pid, close }
}

async function bundle(dir: string, entry?: string): Promise<void> {
  const args = ['deploy', ...(entry === undefined ? [] : [entry]), '--dry-run', `--outdir=${join(dir, 'out')}`]
  const bundler = await wrangler(dir, args)
  const { code } = await bundler.exited
  if (code !== 0) throw new Error(`wrangler deploy --dry-run failed:\n${bundler.lines().join('\n')}`)
}

function wrangler(dir: string, args: readonly string[]): Promise<Child> {
  return child(dir, resolve('wrangler'), args)
}

function child(dir: string, script: string, args: readonly string[]): Promise<Child> {
  return startChild({
    name: 'worker',
    command: process.execPath,
    args: ['--no-warnings', script, ...args],
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
