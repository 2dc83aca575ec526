/**
 * `npm run torture`: every fault at length, one table. `npm run torture -- kill freeze` runs those alone;
 * `--short` runs them as the test suite does.
 */
import { holds, type Outcome } from './figures.ts'
import { scenarios, type ScenarioName } from './scenarios.ts'

const names = Object.keys(scenarios) as ScenarioName[]
const words = process.argv.slice(2).filter(word => !word.startsWith('--'))
const unknown = words.filter(word => !Object.hasOwn(scenarios, word))
if (unknown.length > 0) {
  console.error(`no such fault: ${unknown.join(', ')}; there are ${names.join(', ')}`)
  process.exit(2)
}
const short = process.argv.includes('--short')
const rows: string[] = []
let broken = 0
for (const name of names.filter(name => words.length === 0 || words.includes(name))) {
  const startedAt = Date.now()
  console.error(`${new Date().toISOString()} ${name} ...`)
  const outcome = await scenarios[name][short ? 'short' : 'long']()
  rows.push(...describe(outcome))
  broken += outcome.figures.filter(figure => !holds(figure)).length
  console.error(`${describe(outcome).join('\n')}\n${Math.round((Date.now() - startedAt) / 1000)} s\n`)
}
console.log(['| fault | figure | measured | to reach |', '|---|---|---|---|', ...rows].join('\n'))
process.exit(broken === 0 ? 0 : 1)

function describe({ fault, done, figures, evidence }: Outcome): string[] {
  const lines = figures.map(figure => {
    const { name, value, limit, unit = '' } = figure
    return `| | ${name} | ${value} ${unit}${holds(figure) ? '' : ' **missed**'} | ${limit} ${unit} |`
  })
  return [`| ${fault} | ${done} | | |`, ...lines, ...evidence.map(line => `| | ${line} | | |`)]
}
