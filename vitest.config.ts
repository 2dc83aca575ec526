import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

const NODE_TESTS = ['shared/**/*.test.ts', 'worker/**/*.test.ts', 'dev/**/*.test.ts', 'edge/**/*.node.test.ts']

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: NODE_TESTS, testTimeout: 20_000 } },
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
          globalSetup: ['dev/rest/testSetup.ts'],
          // One Redis serves all files, and some of them give it faults.
          fileParallelism: false,
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 90_000,
          // Each file runs a whole stack: after the quick tests, and one at a time.
          sequence: { groupOrder: 1 },
          fileParallelism: false,
        },
      },
    ],
  },
})
