import { flushCompileCache } from 'node:module'
import { installPatches } from './baileys/install.ts'
import { VendorMismatch } from './baileys/vendors.ts'
import { createLog } from './log.ts'
import { isOfBaileys, statusCodeOf } from './rejections.ts'
import { readSettings, SettingsError, type Settings } from './settings.ts'

/** What may pass between SIGTERM and the end, in ms; then the rest is left to the next owner, as after a crash. */
const STOP_DEADLINE_MS = 9500

const settings = settingsOrExit()
const [, , workerId = ''] = process.argv
const log = createLog(settings.logLevel, workerId)
const stopping = new AbortController()

// Whatever a defect leaves behind cannot be trusted: end now, the leases expire and the jobs are taken over.
process.on('uncaughtException', error => fatal(error))
process.on('unhandledRejection', error => {
  if (!isOfBaileys(error)) fatal(error)
  // Its message may quote what somebody sent.
  log.warn({ statusCode: statusCodeOf(error), error: error.name }, 'baileys left a failure unhandled')
})
for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop(name))
// Nobody would give the partitions back.
process.on('disconnect', () => stop('its parent is gone'))

try {
  await installPatches(log)
  // Loads Baileys, too, so it comes after.
  const { runWorker } = await import('./worker.ts')
  await runWorker(settings, workerId, log, stopping.signal, () => started())
  process.exit(0)
} catch (error) {
  if (error instanceof Error && error.name === 'Unable') end(error)
  if (error instanceof SettingsError || error instanceof VendorMismatch) refuse(error)
  if (error instanceof Error && error.name === 'PartitionsMismatch') refuse(error)
  fatal(error)
}

function started() {
  process.send?.('started')
  // Node writes it at the end of a process, which a killed one does not come to.
  flushCompileCache()
}

function stop(reason: string) {
  if (stopping.signal.aborted) return
  log.info({ reason }, 'worker stops')
  stopping.abort()
  setTimeout(() => {
    log.error('worker did not stop in time')
    process.exit(1)
  }, STOP_DEADLINE_MS).unref()
}

function settingsOrExit(): Settings {
  try {
    return readSettings(process.env)
  } catch (error) {
    return refuse(error)
  }
}

function refuse(error: unknown): never {
  process.stderr.write(`kurir worker: ${error instanceof Error ? error.message : 'cannot start'}\n`)
  process.exit(1)
}

function end(error: Error): never {
  log.fatal(`worker ${error.message}`)
  process.exit(1)
}

function fatal(error: unknown): never {
  log.fatal({ err: error }, 'worker ends')
  process.exit(1)
}
