import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { monotonicMs } from './monotonic-clock.ts';

describe('monotonic clock', () => {
  test('tells another process a time between those before and after it', () => {
    const before = monotonicMs();
    const program = 'const [s, n] = process.hrtime(); console.log(s * 1000 + n / 1e6)';
    const between = Number(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }));
    const after = monotonicMs();
    expect(between).toBeGreaterThan(before);
    expect(between).toBeLessThan(after);
  });
});
