import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/**
 * Ends children that their parent could not end itself. One small process beside us reads which process groups are
 * alive; when our end of the pipe closes, for whatever reason, it ends them.
 */
export interface Reaper {
  /** Names a process group (by its leader's pid) that must not outlive this process. */
  add(pid: number): void
  /** The group has ended; its pid may be another's from now on. */
  remove(pid: number): void
}

/** Starts the reaper. It ends with this process and does not keep it alive. */
export function startReaper(): Reaper {
  const script = fileURLToPath(new URL('reap.mjs', import.meta.url))
  const child = spawn(process.execPath, [script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  child.unref()
  const { stdin } = child
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  // Without it the stack still stops its children itself; only kill -9 would leave some.
  child.on('error', () => {})
  stdin.on('error', () => {})
  return {
    add: pid => void stdin.write(`+${pid}\n`),
    remove: pid => void stdin.write(`-${pid}\n`),
  }
}

let shared: Reaper | undefined

/** The one reaper of this process: a second would only be a second process with the same duty. */
export function processReaper(): Reaper {
  shared ??= startReaper()
  return shared
}
