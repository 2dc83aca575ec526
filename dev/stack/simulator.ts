import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as z from 'zod'
import { startChild, type Child } from './child.ts'
import { writePrivate } from './private.ts'
import { childReady } from './ready.ts'

const MAIN = fileURLToPath(new URL('../simulator/main.ts', import.meta.url))

/** What the simulator says of itself when it is ready. */
const announcement = z.object({
  waUrl: z.string(),
  controlUrl: z.string(),
  rootKeyHex: z.string(),
  caPem: z.string(),
})

/** The simulator as a process of its own, so that its cryptography takes no time from the other parts. */
export interface RunningSimulator {
  /** Its control side, for `createSimulatorClient`. */
  readonly url: string
  /** Where Baileys connects. */
  readonly waUrl: string
  /** Its Noise root key, in hex. */
  readonly rootKeyHex: string
  /** The certificate of its media server, to be trusted by NODE_EXTRA_CA_CERTS. */
  readonly certificateFile: string
  readonly child: Child
  close(): Promise<unknown>
}

/** Starts the simulator; `dir` takes the certificate of its media server. */
export async function startSimulatorProcess(options: {
  dir: string
  /** Of its control side; default: a free one. */
  port?: number
  /** Believes clients that were linked to an earlier run. */
  adopt?: boolean
  signal: AbortSignal
  onLine?: (line: string) => void
}): Promise<RunningSimulator> {
  const { dir, port = 0, adopt = false, signal, onLine } = options
  let said: z.infer<typeof announcement> | undefined
  const child = await startChild({
    name: 'simulator',
    command: process.execPath,
    args: [MAIN, `--control-port=${port}`, ...(adopt ? ['--adopt'] : [])],
    env: {},
    onLine(line) {
      said ??= readAnnouncement(line)
      if (said === undefined || !line.startsWith('{')) onLine?.(line)
    },
  })
  await childReady(child, signal, async () => said !== undefined)
  const { waUrl, controlUrl, rootKeyHex, caPem } = announcement.parse(said)
  const certificateFile = join(dir, 'simulator-ca.pem')
  await writePrivate(certificateFile, caPem)
  return { url: controlUrl, waUrl, rootKeyHex, certificateFile, child, close: () => child.stop() }
}

function readAnnouncement(line: string): z.infer<typeof announcement> | undefined {
  try {
    return announcement.parse(JSON.parse(line))
  } catch {
    return undefined
  }
}
