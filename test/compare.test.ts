// `tidings compare` as a user calls it, with short times.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ComparisonReport } from '../src/cli/compare/comparison-table.ts';
import { type TestCli, testCli } from './cli.ts';

let cli: TestCli;
beforeAll(async () => {
  cli = await testCli();
}, 60_000);
afterAll(() => cli.close());

describe('tidings compare', () => {
  test('gets every event to every kind exactly once, and writes what it found', async () => {
    const times = ['--seconds', '1', '--outage-seconds', '0.5', '--poll-seconds', '0.2,0.5', '--rates', '20'];
    const { code, stdout, stderr } = await cli.run(['compare', ...times, '--json', '--out', 'found']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { measurements } = JSON.parse(stdout) as ComparisonReport;
    const kinds = ['nobody', 'poll-0.2s', 'poll-0.5s', 'long-poll', 'sse', 'websocket', 'webhook'];
    expect(measurements.map(({ kind }) => kind)).toEqual(kinds);
    const [nobody, ...consumers] = measurements;
    expect(nobody.events).toBeGreaterThan(5);
    for (const one of consumers) {
      expect(one, one.kind).toMatchObject({ events: nobody.events, lost: 0, duplicates: 0 });
      expect(one.outage.missed, one.kind).toBeGreaterThan(0);
      expect(one.outage.madeGood, one.kind).toBe(one.outage.missed);
      expect(one.bytesToConsumerPerEvent, one.kind).toBeGreaterThan(1024);
      expect(one.openConnections, one.kind).toBeGreaterThan(0);
      expect(one.delayMs.p50, one.kind).toBeGreaterThan(0);
    }
    expect(consumers[0].emptyAnswersPerMinute).toBeGreaterThan(0);

    const files = ['comparison.json', 'comparison.md', 'comparison.html'];
    const [json, markdown, page] = await Promise.all(
      files.map((name) => readFile(join(cli.folder, 'found', name), 'utf8')),
    );
    expect(json).toBe(stdout);
    expect(markdown).toContain('| WebSocket |');
    expect(page).toContain('<svg ');
  }, 90_000);

  test.each([
    [['--rates', '0'], /^tidings: --rates is "0"\. Give up to 10 numbers above 0/],
    [['--seconds', '1,2'], /^tidings: --seconds is "1,2"\. Give a number above 0/],
  ])('is not called rightly with %j', async (args, words) => {
    const { code, stdout, stderr } = await cli.run(['compare', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(words);
  });
});
