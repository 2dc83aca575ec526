import { defineConfig } from 'vitest/config'

const NODE_TESTS = ['shared/**/*.test.ts', 'worker/**/*.test.ts', 'dev/**/*.test.ts']

export default defineConfig({
  test: {
    projects: [{ test: { name: 'unit', include: NODE_TESTS, testTimeout: 20_000 } }],
  },
})
