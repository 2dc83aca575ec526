import { spawn } from 'node:child_process'
import { processReaper } from '../stack/reaper.ts'

/** A command that is run with its output shown as it comes. */
export interface Step {
  name: string
  command: string
  args: readonly string[]
  env?: NodeJS.ProcessEnv
}

/** How a step went. */
export interface StepResult {
  name: string
  ok: boolean
  seconds: number
}

/**
 * Runs a step in a process group of its own, and ends the whole group with it: a test runner that is interrupted, or
 * that crashed, must not leave servers behind.
 */
export async function runStep({ name, command, args, env }: Step, signal: AbortSignal): Promise<StepResult> {
  const begun = performance.now()
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], detached: true, ...(env && { env }) })
  if (child.pid !== undefined) processReaper().add(child.pid)
  const interrupt = () => void child.kill('SIGINT')
  signal.addEventListener('abort', interrupt)
  const code = await new Promise<number | null>(resolve => {
    child.on('error', error => {
      console.error(`kurir: ${name}: ${error.message}`)
      resolve(null)
    })
    child.on('exit', resolve)
  })
  signal.removeEventListener('abort', interrupt)
  if (child.pid !== undefined) endGroup(child.pid)
  return { name, ok: code === 0, seconds: (performance.now() - begun) / 1000 }
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It is empty.
  }
  processReaper().remove(pid)
}

/** One line a step, for the end of a run. */
export function formatResults(results: readonly StepResult[]): string {
  const width = Math.max(...results.map(({ name }) => name.length))
  return results
    .map(
      ({ name, ok, seconds }) => `  ${ok ? 'ok  ' : 'FAIL'} ${name.padEnd(width)} ${seconds.toFixed(1).padStart(6)} s`,
    )
    .join('\n')
}

/** Aborts on the first signal that asks this process to end, or when its runner is gone. */
export function interruption(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect'] as const) {
    process.on(signal, () => controller.abort(new Error('interrupted')))
  }
  // The channel to the runner alone is no reason to stay.
  process.channel?.unref()
  return controller.signal
}
