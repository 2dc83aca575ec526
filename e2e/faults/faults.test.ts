import { expect, test } from 'vitest'
import { holds } from './figures.ts'
import { scenarios, type ScenarioName } from './scenarios.ts'

// The short form of `npm run torture`: the same scenarios and the same judge, in seconds instead of minutes. Times depend
// on the machine and are left to the long form. Most of each is waiting, so two go at the same time.
const names = Object.keys(scenarios) as ScenarioName[]

test.concurrent.each(names)('nothing is lost, doubled or reordered: %s', { timeout: 180_000 }, async name => {
  const { figures, evidence } = await scenarios[name].short()
  expect({ missed: figures.filter(figure => figure.unit !== 'ms' && !holds(figure)), evidence }).toEqual({
    missed: [],
    evidence: [],
  })
})
