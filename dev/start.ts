import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe } from './inbox/line.ts'
import { lockFolder } from './stack/lock.ts'
import { formatLine, formatQr, formatSummary } from './stack/print.ts'
import { writePrivate } from './stack/private.ts'
import { onceEach, pollQrs, qrOf, type ShownQr } from './stack/qr.ts'
import { scan } from './stack/scan.ts'
import { readStart } from './stack/settings.ts'
import { startStack, type Stack } from './stack/stack.ts'

const DIR = join(fileURLToPath(new URL('..', import.meta.url)), '.kurir')

/** `npm start`: the whole gateway on this machine, until Ctrl-C. */
async function main(stop: AbortSignal): Promise<number> {
  const begun = performance.now()
  const { scan: scans, ...options } = readStart(process.env, process.argv.slice(2))
  const lock = await lockFolder(DIR)
  const print = (source: string, line: string) => console.log(formatLine(source, line))
  const onQr = onceEach(qr => void showQr(qr))
  let stack: Stack | undefined
  const showQr = async (qr: ShownQr) => {
    if (stack?.simulator === undefined) return console.log(formatQr(qr))
    if (!scans) return print('simulator', `session ${qr.sessionId} shows a QR: ${qr.text}`)
    const scanned = await scan(stack.simulator.url, qr)
    print('simulator', `${qr.sessionId}: ${scanned.ok ? `QR scanned by ${scanned.phone}` : `scan: ${scanned.reason}`}`)
  }
  try {
    stack = await startStack({
      ...options,
      // Credentials of the simulator's phones are nothing to the real WhatsApp, nor the other way round.
      dir: options.live === true ? join(DIR, 'live') : DIR,
      signal: stop,
      onLine(source, line) {
        // Of Redis only the last words count, and those come with its death.
        if (source !== 'redis' && !stop.aborted) print(source, line)
      },
      onArrival: arrival => {
        print('inbox', describe(arrival))
        const qr = qrOf(arrival)
        if (qr !== undefined) onQr(qr)
      },
    })
    await writeStackFile(stack)
    if (stack.inbox === undefined) {
      void pollQrs({ redisUrl: stack.redis.url, partitions: options.partitions, onQr, signal: stop })
    }
    console.log(
      formatSummary(stack, { seconds: (performance.now() - begun) / 1000, scan: scans, live: options.live === true }),
    )
    const stopped = new Promise<undefined>(resolve => stop.addEventListener('abort', () => resolve(undefined)))
    const death = stop.aborted ? undefined : await Promise.race([stack.died, stopped])
    if (death === undefined) return 0
    console.error(`\nkurir: ${death.reason}\nkurir: stopping`)
    return 1
  } finally {
    if (stop.aborted) console.log('\nkurir: stopping')
    await stack?.close()
    await rm(join(DIR, 'stack.json'), { force: true })
    await lock.close()
  }
}

/** Where everything is and the secrets of this run, for programs such as the benches. */
async function writeStackFile(stack: Stack): Promise<void> {
  const { edge, apiKey, redis, restUrl, secrets, workers, simulator, inbox } = stack
  const file = {
    edge,
    apiKey,
    redisUrl: redis.url,
    restUrl,
    restToken: secrets.restToken,
    worker: workers[0]?.url,
    simulator: simulator?.url,
    inbox: inbox?.url,
    webhookSecret: secrets.webhookSecret,
  }
  await writePrivate(join(DIR, 'stack.json'), `${JSON.stringify(file, null, 2)}\n`)
}

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect'] as const) {
  process.on(signal, () => {
    // Asked a second time: end now. The reaper ends the children.
    if (interrupted.signal.aborted) process.exit(130)
    interrupted.abort(new Error('interrupted'))
  })
}
// Nobody reads any more, as in `npm start | head`.
for (const stream of [process.stdout, process.stderr]) stream.on('error', error => interrupted.abort(error))
// The channel tells that the runner is gone; alone it is no reason to stay.
process.channel?.unref()

process.exitCode = await main(interrupted.signal).catch((error: unknown) => {
  if (interrupted.signal.aborted) return 0
  console.error(`kurir: ${error instanceof Error ? error.message : String(error)}`)
  return 1
})
process.exit()
