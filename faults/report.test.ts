import { describe, expect, test } from 'vitest';
import { renderReport, summarise } from './report.ts';

const VERDICT = { acknowledged: 1200, delivered: 3600, duplicates: 4, bound: 96, problems: [], measured: {} };

describe('report', () => {
  test('counts what was not run apart from what was survived', () => {
    const report = summarise('short', [
      { name: 'kill', outcome: 'survived', seconds: 12.34, verdict: VERDICT, problems: [] },
      { name: 'disk-full', outcome: 'not run', seconds: 0, verdict: null, problems: ['mount needs root'] },
      { name: 'drop', outcome: 'not survived', seconds: 9, verdict: VERDICT, problems: ['I1: lost\nmore'] },
    ]);
    expect(report).toMatchObject({ survived: 1, notSurvived: 1, notRun: 1 });
    const text = renderReport(report);
    expect(text).toContain('faults survived: 1/3 (short form)');
    expect(text).toMatch(/kill +survived +1,200 +3,600 +4 +96 +12\.3\n/);
    expect(text).toMatch(/disk-full +not run +– +– +– +– +0\.0\n/);
    expect(text).toContain('drop: not survived\n  - I1: lost\n    more\n');
    expect(text.split('\n').at(-1)).toBe('1 survived, 1 not survived, 1 not run');
  });
});
