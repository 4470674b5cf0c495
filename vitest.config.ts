import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'test/bundlers/**'],
    globalSetup: ['test/browser/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Two cores is what a small CI machine has; each test file may itself start a worker thread.
    maxWorkers: 2,
    pool: 'forks',
  },
});
