import { describe, expect, test } from 'vitest';
import { runScenarios } from './runner.ts';
import { NotPossible, type Scenario, type Verdict } from './scenario.ts';

const VERDICT: Verdict = { acknowledged: 1, delivered: 1, duplicates: 0, bound: 0, problems: [], measured: {} };

function aScenario(name: string, run: Scenario['run'], members: Partial<Scenario> = {}): Scenario {
  return { name, describe: name, seconds: { short: 1, full: 2 }, run, ...members };
}

function options(members = {}) {
  return { short: true, jobs: 2, signal: new AbortController().signal, onProgress: () => {}, ...members };
}

describe('runner', () => {
  test('tells survived from not survived, broken off and not run', async () => {
    const rows = await runScenarios(
      [
        aScenario('good', async () => VERDICT),
        aScenario('bad', async () => ({ ...VERDICT, problems: ['I1'] })),
        aScenario('broken', async () => {
          throw new Error('no server');
        }),
        aScenario('impossible', async () => {
          throw new NotPossible('mount needs root');
        }),
      ],
      options(),
    );
    expect(rows.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['good', 'survived'],
      ['bad', 'not survived'],
      ['broken', 'not survived'],
      ['impossible', 'not run'],
    ]);
    expect(rows[2].problems[0]).toMatch(/^It broke off: Error: no server/);
    expect(rows[3].problems).toEqual(['mount needs root']);
  });

  test('runs several at once, but one that measures alone', async () => {
    const running = new Set<string>();
    const seen: Record<string, string[]> = {};
    const watched = (name: string, members: Partial<Scenario> = {}) =>
      aScenario(
        name,
        async () => {
          running.add(name);
          await new Promise((resolve) => setImmediate(resolve));
          seen[name] = [...running];
          running.delete(name);
          return VERDICT;
        },
        members,
      );
    const scenarios = [watched('measure', { alone: true }), watched('a'), watched('b')];
    const rows = await runScenarios(scenarios, options());
    expect(rows.map(({ name }) => name)).toEqual(['measure', 'a', 'b']);
    expect(seen).toEqual({ a: ['a', 'b'], b: ['b'], measure: ['measure'] });
  });
});
