import { describeExit, type Child } from './child.ts'
import { until } from './until.ts'

/**
 * Waits until a child that was just started is ready. A child that ends before that, or an abort, rejects at once; the
 * child is ended then.
 */
export async function childReady(
  child: Child,
  signal: AbortSignal,
  probe: () => Promise<boolean>,
  timeoutMs = 45_000,
): Promise<void> {
  const ended = new AbortController()
  const watch = async () => {
    const how = describeExit(child.name, await child.exited)
    ended.abort(new Error(`${how} before it was ready\n${child.lines().join('\n')}`))
  }
  void watch()
  try {
    await until(`${child.name} to be ready`, probe, { timeoutMs, signal: AbortSignal.any([signal, ended.signal]) })
  } catch (error) {
    await child.stop()
    if (ended.signal.aborted && !signal.aborted) throw ended.signal.reason
    throw error
  }
}
