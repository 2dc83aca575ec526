import { hostileFiles, serveFiles } from '../dev/testing/hostile-media.ts'
import { startWorld, type World } from '../e2e/faults/world.ts'
import { formatTable, type Row } from './producer/table.ts'
import { residentMb } from './worker/usage.ts'

/** What one file may do to the process that holds the sockets. */
const TARGETS = { stallMs: 50, growthMb: 100 }
const SAMPLE_MS = 10

/**
 * `npm run bench -- media`: how long the event loop of a worker stands still, and how much memory its process takes, while
 * it sends files that were made to stop whoever decodes them. The process that decodes them is not counted: it has limits
 * of its own. Resolves with whether all targets were met.
 */
export async function benchMedia(signal: AbortSignal): Promise<boolean> {
  const files = await hostileFiles()
  const server = await serveFiles(files)
  const world = await startWorld({ given: { worker: { ALLOW_PRIVATE_HOSTS: server.host } } })
  try {
    const [session] = await world.link(1)
    if (session === undefined) throw new Error('this bench needs a session')
    const { sessionId, contact: to } = session
    const send = async (type: string, media: string) => {
      const job = await world.api.post({ name: 'SEND_MEDIA', data: { sessionId, to, type, media } })
      return (await world.api.waitForEnd(job, 120_000)).error?.code ?? 'sent'
    }
    // The first file loads what all need.
    await send('image', server.url(files.length))
    const rows: Row[] = []
    for (const [index, { name, type }] of files.entries()) {
      signal.throwIfAborted()
      const { stallMs, growthMb, value } = await watched(world, async () => send(type, server.url(index)))
      rows.push(
        {
          what: `${name}: ${value}; longest stall`,
          value: `${stallMs.toFixed(0)} ms`,
          target: `${TARGETS.stallMs} ms at most`,
          ok: stallMs <= TARGETS.stallMs,
        },
        {
          what: `${name}: memory`,
          value: `+${growthMb.toFixed(0)} MB`,
          target: `${TARGETS.growthMb} MB at most`,
          ok: growthMb <= TARGETS.growthMb,
        },
      )
    }
    console.log(`\nmedia\n\n${formatTable(rows)}`)
    return rows.every(row => !('ok' in row) || row.ok)
  } finally {
    await world.close()
    await server.close()
  }
}

async function watched<T>(world: World, work: () => Promise<T>) {
  const [worker] = world.stack.workers
  if (worker === undefined) throw new Error('this bench needs a worker')
  // Each look at the metrics begins a new measurement of the longest stall.
  await longestStallMs(worker.url)
  const before = residentMb(worker.workPid)
  let most = before
  const sampling = setInterval(() => (most = Math.max(most, residentMb(worker.workPid))), SAMPLE_MS)
  const value = await work()
  clearInterval(sampling)
  return { value, stallMs: await longestStallMs(worker.url), growthMb: most - before }
}

async function longestStallMs(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  return Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(metrics)?.[1]) * 1000
}
