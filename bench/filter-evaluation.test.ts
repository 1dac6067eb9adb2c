import { describe, expect, test } from 'vitest';
import { checkFilter, compileFilter } from '../src/core/filter.ts';
import { anOrder, evaluateFilters, fiveTerms } from './filter-evaluation.ts';

describe('filter evaluation', () => {
  const data = JSON.stringify(anOrder());

  test('asks filters that are taken by the API, and that fail at their last term alone', () => {
    expect(checkFilter(fiveTerms(999))).toEqual([]);
    const event = { type: 'a', timeMs: 0, channels: [], data: Buffer.from(data) };
    const { matches, why } = compileFilter(fiveTerms(50)).explain(event);
    expect({ matches, paths: why.map(({ path }) => path) }).toEqual({ matches: false, paths: ['/data/items'] });
    expect(compileFilter(fiveTerms(8)).matches(event)).toBe(true);
  });

  test('counts what it asked', () => {
    const filters = Array.from({ length: 10 }, (_, i) => fiveTerms(i));
    const { evaluations, matches, microsEach } = evaluateFilters({
      compile: compileFilter,
      filters,
      data,
      seconds: 0.01,
    });
    expect(evaluations).toBeGreaterThan(0);
    expect(matches).toBe((evaluations / 10) * 3);
    expect(microsEach).toBeGreaterThan(0);
  });
});
