import { fileURLToPath } from 'node:url'
import { formatResults, interruption, runStep, type Step, type StepResult } from './tasks/step.ts'

/** `npm run check`: what must be right before a commit, and all of it at once even when something is wrong. */
const bin = (name: string) => fileURLToPath(new URL(`../node_modules/.bin/${name}`, import.meta.url))
const steps: Step[] = [
  { name: 'format', command: bin('oxfmt'), args: ['--check', '.'] },
  { name: 'lint', command: bin('oxlint'), args: ['--type-aware', '.'] },
  { name: 'types', command: bin('tsc'), args: ['-p', '.', '--noEmit'] },
  { name: 'types of edge', command: bin('tsc'), args: ['-p', 'edge', '--noEmit'] },
  { name: 'tests', command: process.execPath, args: [fileURLToPath(new URL('test.ts', import.meta.url))] },
]

const signal = interruption()
const results: StepResult[] = []
for (const step of steps) {
  if (signal.aborted) break
  console.log(`\nkurir: ${step.name}`)
  results.push(await runStep(step, signal))
}
console.log(`\nkurir: check\n${formatResults(results)}`)
process.exit(results.length === steps.length && results.every(({ ok }) => ok) ? 0 : 1)
