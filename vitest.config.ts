import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { configDefaults, defineConfig } from 'vitest/config'
import { findRedisServer } from './dev/redis/find.ts'

const NODE_TESTS = ['shared/**/*.test.ts', 'worker/**/*.test.ts', 'dev/**/*.test.ts', 'edge/**/*.node.test.ts']

/** Tests of load, and of faults that the embedded Redis does not have, such as a pause, a restart or a full memory. */
const NEED_REDIS_SERVER = [
  'dev/rest/gateway.test.ts',
  'e2e/faults/faults.test.ts',
  'worker/credentials/store.test.ts',
  'worker/health/health.test.ts',
  'worker/jobs/lane/lanes.test.ts',
  'worker/ownership/owner.test.ts',
  'worker/jobs/budget.test.ts',
  'worker/jobs/consumer.test.ts',
  'worker/jobs/poison.test.ts',
  'worker/jobs/tools.test.ts',
]

/** Tests that look at how long Redis was held: nothing else runs beside them. */
const ALONE = ['worker/jobs/budget.test.ts']

const exclude = [...configDefaults.exclude, ...(findRedisServer() === undefined ? NEED_REDIS_SERVER : [])]

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: NODE_TESTS,
          exclude: [...exclude, ...ALONE],
          testTimeout: 20_000,
          hookTimeout: 60_000,
          // Most of them wait most of the time. By default Vitest leaves a core free, which of two is half.
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'alone',
          include: ALONE,
          exclude,
          sequence: { groupOrder: 1 },
          fileParallelism: false,
          testTimeout: 20_000,
          hookTimeout: 60_000,
        },
      },
      {
        plugins: [
          cloudflareTest(({ inject }) => ({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              bindings: {
                UPSTASH_REDIS_REST_URL: inject('servers').restUrl,
                UPSTASH_REDIS_REST_TOKEN: inject('servers').restToken,
                API_KEYS: 'the-first-test-key,the-second-test-key',
              },
            },
          })),
        ],
        test: {
          name: 'workerd',
          include: ['edge/**/*.test.ts'],
          exclude: ['edge/**/*.node.test.ts'],
          globalSetup: ['dev/testing/rest-setup.ts'],
          // One Redis serves all files, and some of them give it faults.
          fileParallelism: false,
          sequence: { groupOrder: 2 },
          testTimeout: 20_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          exclude,
          testTimeout: 180_000,
          hookTimeout: 90_000,
          // Each file runs a whole stack: after the quick tests, and one at a time.
          sequence: { groupOrder: 3 },
          fileParallelism: false,
          maxConcurrency: 2,
        },
      },
    ],
  },
})
