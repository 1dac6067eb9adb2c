import { defineConfig } from 'vitest/config';
import { findSystemPostgres } from './test/system-postgres.ts';

const shared = {
  globalSetup: ['test/global-setup.ts'],
  testTimeout: 30_000,
  hookTimeout: 30_000,
  pool: 'forks' as const,
  // Most tests wait for databases and sockets rather than for a core.
  maxWorkers: 4,
};

// Everything runs on the embedded Postgres server. What touches the database (*.db.test.ts) runs again on the system's Postgres
// where one is installed; the closing line's reporter says so where none is.
export default defineConfig({
  test: {
    reporters: ['default', './test/closing-line.ts'],
    projects: [
      {
        test: {
          ...shared,
          name: 'unit-embedded',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts', 'faults/**/*.test.ts'],
        },
      },
      ...(findSystemPostgres()
        ? [{ test: { ...shared, name: 'system', include: ['src/**/*.db.test.ts', 'test/**/*.db.test.ts'] } }]
        : []),
    ],
  },
});
