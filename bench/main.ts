import process from 'node:process'
import { findRedisServer } from '../dev/redis/find.ts'
import { ensurePrograms } from '../dev/tasks/programs.ts'
import { interruption } from '../dev/tasks/step.ts'

/** The benches, by name. Each prints a table and says whether its targets were met. */
const BENCHES: Record<string, () => Promise<(signal: AbortSignal) => Promise<boolean>>> = {
  producer: async () => (await import('./producer.ts')).benchProducer,
  density: async () => (await import('./density.ts')).benchDensity,
  media: async () => (await import('./media.ts')).benchMedia,
  worker: async () => (await import('./worker.ts')).benchWorker,
}

const [name = ''] = process.argv.slice(2)
const load = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined
if (load === undefined) {
  console.error(`usage: npm run bench -- <${Object.keys(BENCHES).join(' | ')}>`)
  process.exit(2)
}
ensurePrograms(line => console.error(`kurir: ${line}`))
if (findRedisServer() === undefined) {
  console.error('kurir: without redis-server the embedded Redis is measured, and these figures do not count')
}
const bench = await load()
process.exit((await bench(interruption())) ? 0 : 1)
