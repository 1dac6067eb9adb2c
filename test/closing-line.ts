// The run's last words are one plain line, `N passed, N failed`, for programs that read what a test run printed.
import type { Reporter, TestModule } from 'vitest/node';
import { findSystemPostgres } from './system-postgres.ts';

export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const line = closingLine(modules, unhandledErrors.length);
    const note = findSystemPostgres()
      ? ''
      : 'The tests of the database did not run on a system Postgres: none of version 15 or later is installed.\n';
    // The other reporters print their summary at the same event.
    process.once('exit', () => process.stdout.write(`${note}${line}\n`));
  }
}

/** A file that could not be loaded, a failing hook and an error outside of every test each count as one failed. */
export function closingLine(modules: readonly TestModule[], unhandledErrors: number): string {
  const counts = { passed: 0, failed: unhandledErrors, skipped: 0, pending: 0 };
  for (const module of modules) {
    counts.failed += module.errors().length;
    for (const suite of module.children.allSuites()) counts.failed += suite.errors().length;
    for (const test of module.children.allTests()) counts[test.result().state]++;
  }
  const skipped = counts.skipped + counts.pending;
  return `${counts.passed} passed, ${counts.failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
