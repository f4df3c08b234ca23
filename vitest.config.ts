import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // Two cores, real servers and stores: a timeout here is a hang, not a slow machine.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 25_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'tools/**/*.test.ts'],
          exclude: ['src/store/postgres/**'],
        },
      },
      {
        extends: true,
        test: {
          name: 'postgres',
          include: ['src/store/postgres/**/*.test.ts'],
          globalSetup: 'test/support/services/postgres-setup.ts',
          hookTimeout: 120_000,
        },
      },
      { extends: true, test: { name: 'simulation', include: ['simulation/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'outside',
          include: ['test/**/*.test.ts'],
          exclude: ['test/faults/**'],
          globalSetup: 'test/support/services/postgres-setup.ts',
          testTimeout: 600_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 120_000,
          // Each scenario measures time, or loads the machine: one after the other.
          fileParallelism: false,
        },
      },
    ],
  },
})
