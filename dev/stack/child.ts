import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { processReaper } from './reaper.ts'

/** How many of its last lines a child keeps, to be shown when it dies. */
const KEPT_LINES = 40
/** How long a child may take to end after SIGTERM before it is killed. */
const GRACE_MS = 8000

/** What to start. */
export interface ChildOptions {
  /** Names the child in messages and log prefixes. */
  name: string
  command: string
  args: readonly string[]
  /** The whole environment of the child; nothing is inherited beside it. */
  env: NodeJS.ProcessEnv
  cwd?: string
  /** Called with each line of its output, stdout and stderr alike. */
  onLine?: (line: string) => void
}

/** How a child ended. */
export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A running child, leader of its own process group, so that Ctrl-C in a terminal reaches it only through us. */
export interface Child {
  readonly name: string
  readonly pid: number
  /** Resolves when it has ended, however. */
  readonly exited: Promise<Exit>
  /** Its last lines of output, oldest first. */
  lines(): readonly string[]
  /** Sends a signal to the child itself (not to its group). */
  signal(signal: NodeJS.Signals): void
  /** SIGTERM, then SIGKILL to the whole group after `graceMs`. Resolves when it has ended. */
  stop(graceMs?: number): Promise<Exit>
}

/** Starts a child. Rejects when the command cannot be started. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, command, args, env, cwd, onLine } = options
  const child = spawn(command, args, {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd !== undefined && { cwd }),
  })
  const kept: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', line => {
      kept.push(line)
      if (kept.length > KEPT_LINES) kept.shift()
      onLine?.(line)
    })
  }
  const exited = new Promise<Exit>(resolve => {
    child.on('exit', (code, signal) => resolve({ code, signal }))
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', error => reject(new Error(`could not start ${name}: ${error.message}`)))
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`could not start ${name}`)
  const reaper = processReaper()
  reaper.add(pid)
  const swept = exited.then(exit => {
    // What the child itself left behind (workerd under wrangler, say) is in its group.
    killGroup(pid, 'SIGKILL')
    reaper.remove(pid)
    return exit
  })

  return {
    name,
    pid,
    exited: swept,
    lines: () => kept,
    signal: signal => void child.kill(signal),
    async stop(graceMs = GRACE_MS) {
      child.kill('SIGTERM')
      const timer = setTimeout(() => killGroup(pid, 'SIGKILL'), graceMs)
      const exit = await swept
      clearTimeout(timer)
      return exit
    },
  }
}

/** One line that says how a child ended. */
export function describeExit(name: string, { code, signal }: Exit): string {
  return signal === null ? `${name} ended with code ${code}` : `${name} was ended by ${signal}`
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // The group is empty.
  }
}
