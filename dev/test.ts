import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { ensurePrograms } from './tasks/programs.ts'
import { formatResults, interruption, runStep } from './tasks/step.ts'

/**
 * `npm test`: every test project, the quick ones first. Arguments go to vitest: `npm test -- --project unit worker/`.
 */
const signal = interruption()
ensurePrograms(line => console.log(`kurir: ${line}`))
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
const result = await runStep(
  { name: 'tests', command: process.execPath, args: [vitest, 'run', ...process.argv.slice(2)] },
  signal,
)
console.log(`\nkurir: ${signal.aborted ? 'interrupted' : result.ok ? 'all tests passed' : 'there are failures'}`)
console.log(formatResults([result]))
process.exit(result.ok && !signal.aborted ? 0 : 1)
