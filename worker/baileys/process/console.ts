import type { Logger } from 'pino'

/** Everything a library may print with. */
const METHODS = ['debug', 'dir', 'error', 'info', 'log', 'table', 'trace', 'warn'] as const

/**
 * Takes the console away from the libraries of this process. libsignal prints whole session entries, private keys
 * included, with `console.info`, and other libraries print what they received; ours log through pino, which does not
 * use the console. That something was printed is logged, and what it was is not. Returns a function that undoes it.
 */
export function silenceConsole(log: Logger): () => void {
  const before = METHODS.map(method => [method, console[method]] as const)
  for (const method of METHODS) {
    console[method] = () => log.trace({ method }, 'a library printed to the console')
  }
  return () => {
    for (const [method, original] of before) console[method] = original
  }
}
