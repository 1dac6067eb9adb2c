import { describe, expect, test } from 'vitest';
import {
  parsePeakMemoryBytes,
  parseProcessStat,
  readAllProcessStats,
  readPeakMemoryBytes,
  readProcessStat,
  treeCpuMicros,
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

  test('reads the peak of resident memory', () => {
    expect(parsePeakMemoryBytes('Name:\tnode\nVmPeak:\t  999 kB\nVmHWM:\t   2048 kB\nVmRSS:\t 10 kB\n')).toBe(
      2_097_152,
    );
    expect(parsePeakMemoryBytes('Name:\tkthreadd\n')).toBeNaN();
  });

  test('adds up a tree and leaves out what is named, with its descendants', () => {
    const stat = (pid: number, parentPid: number, name: string) => ({
      pid,
      parentPid,
      name,
      cpuMicros: pid,
      endedChildrenMicros: 1000,
    });
    const stats = [
      stat(1, 0, 'node'),
      stat(2, 1, 'node'),
      stat(3, 1, 'postgres'),
      stat(4, 3, 'node'),
      stat(5, 0, 'sh'),
    ];
    expect(treeCpuMicros(stats, 1, ({ name }) => name === 'postgres')).toBe(2003);
    expect(treeCpuMicros(stats, 1)).toBe(4010);
    expect(treeCpuMicros(stats, 99)).toBe(0);
  });

  test.runIf(process.platform === 'linux')('agrees with what this process knows of itself', () => {
    const stat = readProcessStat(process.pid);
    const { user, system } = process.cpuUsage();
    expect(stat?.parentPid).toBe(process.ppid);
    expect(stat!.cpuMicros).toBeLessThanOrEqual(user + system + 20_000);
    expect(stat!.cpuMicros).toBeGreaterThan(0);
    expect(readAllProcessStats().map(({ pid }) => pid)).toContain(process.pid);
    expect(readPeakMemoryBytes(process.pid)).toBeGreaterThan(10_000_000);
    expect(readProcessStat(2 ** 30)).toBeNull();
  });
});
