import { parseArgs } from 'node:util'
import { startSimulator } from './index.ts'

/**
 * Runs the simulator as a process: `--wa-port`, `--control-port`, `--media-port` (or SIMULATOR_WA_PORT and so on; free
 * ports otherwise), and `--adopt` to believe clients that were linked to an earlier run. Prints one JSON line when it
 * is ready and ends on SIGTERM or SIGINT.
 */
const { values } = parseArgs({
  options: {
    'wa-port': { type: 'string', default: process.env.SIMULATOR_WA_PORT ?? '0' },
    'control-port': { type: 'string', default: process.env.SIMULATOR_CONTROL_PORT ?? '0' },
    'media-port': { type: 'string', default: process.env.SIMULATOR_MEDIA_PORT ?? '0' },
    adopt: { type: 'boolean', default: false },
  },
})

const simulator = await startSimulator({
  waPort: portOf('wa-port'),
  controlPort: portOf('control-port'),
  mediaPort: portOf('media-port'),
  settings: { adopt: values.adopt },
})
const { waUrl, controlUrl, mediaUrl, rootKeyHex, caPem } = simulator
process.stdout.write(`${JSON.stringify({ waUrl, controlUrl, mediaUrl, rootKeyHex, caPem })}\n`)
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void simulator.close())

function portOf(name: 'wa-port' | 'control-port' | 'media-port'): number {
  const port = Number(values[name])
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    process.stderr.write(`--${name}: ${values[name]} is not a port\n`)
    process.exit(2)
  }
  return port
}
