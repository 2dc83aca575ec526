import { defineConfig } from 'vitest/config'

const NODE_TESTS = ['shared/**/*.test.ts', 'worker/**/*.test.ts', 'dev/**/*.test.ts']

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: NODE_TESTS, testTimeout: 20_000 } },
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
