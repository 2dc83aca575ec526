import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startChild, type Child } from './child.ts'
import { freePort } from './ports.ts'
import { childReady } from './ready.ts'
import { until } from './until.ts'

const MAIN = fileURLToPath(new URL('../../worker/main.ts', import.meta.url))
/** Shared by all workers of all stacks: what they compile is the same. */
const COMPILED = fileURLToPath(new URL('../../node_modules/.cache/kurir-worker', import.meta.url))

/** How one worker is started. */
export interface WorkerOptions {
  /** Names it in messages and log prefixes. */
  name: string
  /** Its settings, as in the README. PORT is chosen when it is absent. */
  env: Record<string, string>
  /** Arguments for Node, before the script. */
  nodeArgs?: readonly string[]
  signal: AbortSignal
  onLine?: (line: string) => void
}

/** A worker as its own process. */
export interface WorkerProcess {
  readonly name: string
  readonly pid: number
  /** Of the process that does the work, which is another one after a crash. */
  readonly workPid: number
  /** Health and metrics. */
  readonly url: string
  readonly child: Child
  /** SIGTERM, and waits for its end. */
  stop(): Promise<void>
  /** kill -9 of the process that does the work; the one that watches it starts another. Resolves when that is ready. */
  crash(): Promise<void>
  /** kill -9 of all of it, as when its host dies; waits for the end. */
  kill(): Promise<void>
  /** SIGSTOP of all of it: it hangs, as a paused virtual machine does. */
  freeze(): void
  /** SIGCONT. */
  thaw(): void
  close(): Promise<unknown>
}

/** Starts a worker and waits until it is ready. */
export async function startWorker({ name, env, nodeArgs = [], signal, onLine }: WorkerOptions): Promise<WorkerProcess> {
  const port = env['PORT'] ?? String(await freePort())
  const child = await startChild({
    name,
    command: process.execPath,
    args: [...nodeArgs, MAIN],
    env: { NODE_COMPILE_CACHE: COMPILED, ...env, PORT: port },
    ...(onLine && { onLine }),
  })
  const url = `http://127.0.0.1:${port}`
  await childReady(child, signal, async () => (await fetch(`${url}/readyz`)).ok)
  const signalAll = (what: NodeJS.Signals): void => {
    try {
      process.kill(-child.pid, what)
    } catch {
      // It has ended.
    }
  }
  return {
    name,
    pid: child.pid,
    get workPid() {
      return innerOf(child.pid)
    },
    url,
    child,
    stop: async () => void (await child.stop()),
    async crash() {
      process.kill(innerOf(child.pid), 'SIGKILL')
      await until('the worker to be down', async () => !(await isReady(url)), { everyMs: 10 })
      await until('another worker', async () => isReady(url), { timeoutMs: 60_000 })
    },
    async kill() {
      signalAll('SIGKILL')
      await child.exited
    },
    freeze: () => signalAll('SIGSTOP'),
    thaw: () => signalAll('SIGCONT'),
    close() {
      signalAll('SIGCONT')
      return child.stop()
    },
  }
}

/** The process that does the work, under the one that watches it. */
function innerOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  return Number(children[0])
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).ok
  } catch {
    return false
  }
}
