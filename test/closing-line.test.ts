import { describe, expect, test } from 'vitest';
import type { TestModule } from 'vitest/node';
import { closingLine } from './closing-line.ts';

function aModule(states: string[], errors: { module?: number; suite?: number } = {}): TestModule {
  return {
    errors: () => Array.from({ length: errors.module ?? 0 }),
    children: {
      allTests: () => states.map((state) => ({ result: () => ({ state }) })),
      allSuites: () => [{ errors: () => Array.from({ length: errors.suite ?? 0 }) }],
    },
  } as unknown as TestModule;
}

describe('closing line', () => {
  test('counts what passed and failed over all files', () => {
    expect(closingLine([aModule(['passed', 'failed']), aModule(['passed'])], 0)).toBe('2 passed, 1 failed');
    expect(closingLine([aModule(['passed', 'skipped'])], 0)).toBe('1 passed, 0 failed, 1 skipped');
  });

  test('counts files that did not load, hooks that failed and errors outside of tests', () => {
    expect(closingLine([aModule([], { module: 1 }), aModule(['passed'], { suite: 1 })], 1)).toBe('1 passed, 3 failed');
  });
});
