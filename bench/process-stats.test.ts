import { describe, expect, test } from 'vitest';
import {
  parseProcessMemory,
  parseProcessStat,
  readAllProcessStats,
  readProcessMemory,
  readProcessStat,
  resetPeakMemory,
  treeCpuMicros,
  treeOf,
} from './process-stats.ts';

const STAT =
  '4242 (post) gres: x (1)) S 17 4242 4242 0 -1 4194560 1807 900 0 0 250 50 31 9 20 0 1 0 12345 225280000 5555 18446744073709551615';

describe('process stats', () => {
  test('reads a stat line whose process name holds spaces and parentheses', () => {
    expect(parseProcessStat(STAT)).toEqual({
      pid: 4242,
      parentPid: 17,
      name: 'post) gres: x (1)',
      cpuMicros: 3_000_000,
      endedChildrenMicros: 400_000,
    });
  });

  test('reads resident memory and its peak', () => {
    expect(
      parseProcessMemory('Name:\tnode\nVmPeak:\t  999 kB\nVmHWM:\t   2048 kB\nVmRSS:\t 10 kB\nRssAnon:\t 7 kB\n'),
    ).toEqual({ residentBytes: 10_240, peakBytes: 2_097_152 });
    expect(parseProcessMemory('Name:\tkthreadd\n')).toEqual({ residentBytes: 0, peakBytes: 0 });
  });

  test('adds up a tree', () => {
    const stat = (pid: number, parentPid: number) => ({
      pid,
      parentPid,
      name: 'node',
      cpuMicros: pid,
      endedChildrenMicros: 1000,
    });
    // A child may stand before its parent: pids are used again.
    const stats = [stat(1, 0), stat(2, 7), stat(3, 1), stat(4, 3), stat(5, 0), stat(7, 1)];
    expect(
      treeOf(stats, 1)
        .map(({ pid }) => pid)
        .sort(),
    ).toEqual([1, 2, 3, 4, 7]);
    expect(treeCpuMicros(stats, 1)).toBe(5017);
    expect(treeCpuMicros(stats, 99)).toBe(0);
  });

  test.runIf(process.platform === 'linux')('agrees with what this process knows of itself', () => {
    const stat = readProcessStat(process.pid);
    const { user, system } = process.cpuUsage();
    expect(stat?.parentPid).toBe(process.ppid);
    expect(stat!.cpuMicros).toBeLessThanOrEqual(user + system + 20_000);
    expect(stat!.cpuMicros).toBeGreaterThan(0);
    expect(readAllProcessStats().map(({ pid }) => pid)).toContain(process.pid);
    const { residentBytes, peakBytes } = readProcessMemory(process.pid);
    expect(residentBytes).toBeGreaterThan(10_000_000);
    expect(peakBytes).toBeGreaterThanOrEqual(residentBytes);
    expect(readProcessMemory(2 ** 30)).toEqual({ residentBytes: 0, peakBytes: 0 });
    expect(readProcessStat(2 ** 30)).toBeNull();
  });

  test.runIf(process.platform === 'linux')('lets the peak of memory begin anew', () => {
    let bytes: Buffer | null = Buffer.alloc(64 * 1024 * 1024, 1);
    const before = readProcessMemory(process.pid).peakBytes;
    expect(bytes.length).toBeLessThan(before);
    resetPeakMemory(process.pid);
    const { residentBytes, peakBytes } = readProcessMemory(process.pid);
    expect(peakBytes - residentBytes).toBeLessThan(16 * 1024 * 1024);
    bytes = null;
  });
});
