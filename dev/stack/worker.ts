import { fileURLToPath } from 'node:url'
import { startChild, type Child } from './child.ts'
import { freePort } from './ports.ts'
import { childReady } from './ready.ts'

const MAIN = fileURLToPath(new URL('../../worker/main.ts', import.meta.url))

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
  /** Health and metrics. */
  readonly url: string
  readonly child: Child
  /** SIGTERM, and waits for its end. */
  stop(): Promise<void>
  /** kill -9, and waits for its end. */
  kill(): Promise<void>
  /** SIGSTOP: it hangs, as a paused virtual machine does. */
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
    env: { ...env, PORT: port },
    ...(onLine && { onLine }),
  })
  const url = `http://127.0.0.1:${port}`
  await childReady(child, signal, async () => (await fetch(`${url}/readyz`)).ok)
  return {
    name,
    pid: child.pid,
    url,
    child,
    stop: async () => void (await child.stop()),
    async kill() {
      child.signal('SIGKILL')
      await child.exited
    },
    freeze: () => child.signal('SIGSTOP'),
    thaw: () => child.signal('SIGCONT'),
    close() {
      child.signal('SIGCONT')
      return child.stop()
    },
  }
}
