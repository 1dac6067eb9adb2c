import { describe, expect, test } from 'vitest';
import { compileVersions, versionAt } from './filter-versions.ts';

describe('filter versions', () => {
  const versions = compileVersions([
    { configVersion: 7, fromPosition: 30, filter: { types: ['b'] } },
    { configVersion: 3, fromPosition: 10, filter: { types: ['a'] } },
  ]);
  const takes = (configVersion: number, type: string) =>
    versionAt(versions, configVersion).compiled.takes({ type, channels: [] });

  test('are those that were valid at the time', () => {
    expect(versions.map(({ configVersion }) => configVersion)).toEqual([3, 7]);
    for (const [configVersion, fromPosition] of [
      [3, 10],
      [6, 10],
      [7, 30],
      [99, 30],
    ]) {
      expect(versionAt(versions, configVersion).fromPosition).toBe(fromPosition);
    }
    expect([takes(6, 'a'), takes(6, 'b'), takes(7, 'a'), takes(7, 'b')]).toEqual([true, false, false, true]);
  });

  test('begin with the first, for what was appended before the endpoint was', () => {
    expect(versionAt(versions, 1).configVersion).toBe(3);
  });
});
