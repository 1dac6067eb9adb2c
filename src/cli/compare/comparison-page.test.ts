import { describe, expect, test } from 'vitest';
import { renderPage } from './comparison-page.ts';
import { type ComparisonReport, renderMarkdown, renderText } from './comparison-table.ts';
import type { Measurement } from './measurement.ts';

function aMeasurement(options: Partial<Measurement>): Measurement {
  return {
    kind: 'sse',
    label: 'SSE',
    perSecond: 1,
    events: 30,
    seconds: 30,
    requestsPerMinute: 2,
    emptyAnswersPerMinute: 0,
    bytesToConsumerPerEvent: 1234.5,
    bytesFromConsumerPerEvent: 10,
    serverCpuMicrosPerEvent: 2500,
    delayMs: { p50: 5.25, p99: 1500 },
    openConnections: 1,
    connectionsOpened: 1,
    outage: { missed: 10, madeGoodBy: 'its cursor', madeGood: 10, catchUpMs: 12 },
    lost: 0,
    duplicates: 0,
    ...options,
  };
}

const NOBODY = aMeasurement({
  kind: 'nobody',
  label: 'nobody reads',
  requestsPerMinute: 0,
  bytesToConsumerPerEvent: null,
  bytesFromConsumerPerEvent: null,
  delayMs: { p50: null, p99: null },
  outage: { missed: 0, madeGoodBy: '', madeGood: 0, catchUpMs: null },
});
const REPORT: ComparisonReport = {
  command: 'tidings compare',
  machine: '2 cores (<b>"A&B"</b>)',
  outageSeconds: 10,
  measurements: [NOBODY, aMeasurement({}), aMeasurement({ perSecond: 20, delayMs: { p50: 0, p99: 3 } })],
};

describe('comparison page', () => {
  const page = renderPage(REPORT);

  test('is one file that loads nothing', () => {
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).not.toMatch(/https?:|\/\/|\bsrc=|\bhref=|<link|<script|@import|url\(/i);
  });

  test('has a chart for each figure and rate, without a bar for what there is not', () => {
    expect(page.match(/<svg /g)).toHaveLength(10);
    const [delays] = page.match(/<svg [^>]*aria-label="Delay p50.*?<\/svg>/s)!;
    expect(delays.match(/<rect /g)).toHaveLength(1);
    expect(page).not.toMatch(/NaN|Infinity|undefined|null/);
  });

  test('escapes what it is told', () => {
    expect(page).toContain('2 cores (&lt;b&gt;&quot;A&amp;B&quot;&lt;/b&gt;)');
  });
});

describe('comparison table', () => {
  test('is Markdown with a table for each rate and each outage', () => {
    const text = renderMarkdown(REPORT);
    expect(text).toContain('| SSE | 2 | 0 | 1,235 | 10 | 2.50 ms | 5.3 ms | 1.5 s | 1 |');
    expect(text).toContain('| nobody reads | – | – | – | – | 2.50 ms | – | – | – |');
    expect(text).toContain('| SSE | 10 | its cursor | 10 | 12.0 ms | 0 | 0 |');
    expect(text.match(/^\| --- \|/gm)).toHaveLength(4);
    expect(text).toContain('**1 event of 1 KB per second**');
    expect(text).toContain('**20 events of 1 KB per second**');
  });

  test('is text in columns', () => {
    const lines = renderText(REPORT, (text) => text).split('\n');
    const heading = lines.find((line) => line.startsWith('consumer'))!;
    const row = lines.find((line) => line.startsWith('SSE'))!;
    expect(row).toHaveLength(heading.length);
  });
});
