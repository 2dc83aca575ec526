import { memoryUsage } from 'node:process'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Logger } from 'pino'

/** So many logins leave garbage that is worth a collection. */
const BURST = 50
/** How long after the last of them, in ms: what they bring with them, such as parked sends, makes garbage as well. */
const AFTER_MS = 10_000
/** A collection stops the process for 3 ms a MB that is in use; one of a second would hold up the beat. */
const MOST_MB = 300

type Gc = (options: { type: 'major'; flavor: 'last-resort' }) => void

/**
 * Makes the function to call after logins, with their number. Some time after a burst of them it collects garbage once, and
 * gives its pages back to the system.
 *
 * V8 itself does neither: it learns how much is allocated only when it collects, so to its memory reducer the rate of the
 * burst goes on for as long as the process idles; and the pages that a collection has emptied stay in a pool. A worker that
 * had restored 400 sessions kept 330 MB, of which it needed 180. Only a collection of the flavor `last-resort` empties the
 * pool (heap.cc, `CollectAllAvailableGarbage`).
 */
export function collectAfterBursts(log: Logger): (logins: number) => void {
  let logins = 0
  let timer: NodeJS.Timeout | undefined

  return added => {
    logins += added
    if (logins < BURST) return
    clearTimeout(timer)
    timer = setTimeout(() => {
      logins = 0
      collect(log)
    }, AFTER_MS).unref()
  }
}

function collect(log: Logger): void {
  if (getHeapStatistics().used_heap_size > MOST_MB * 1024 * 1024) return
  const [before, at] = [memoryUsage.rss(), performance.now()]
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as Gc
  gc({ type: 'major', flavor: 'last-resort' })
  const mb = (bytes: number): number => Math.round(bytes / 1024 / 1024)
  const ms = Math.round(performance.now() - at)
  log.debug({ fromMb: mb(before), toMb: mb(memoryUsage.rss()), ms }, 'memory was given back')
}
