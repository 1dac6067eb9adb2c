// The demo's end: a table of the endpoints, then the sums.
import type { DemoEndpoint } from './demo-endpoints.ts';
import type { DemoResult, LatencyMs } from './ledger.ts';
import { formatCount, paint } from './progress.ts';

const COLUMNS = ['expected', 'received', 'verified', 'retried', 'lost', 'duplicates', 'p50', 'p99'];

export function renderSummary(result: DemoResult, endpoints: DemoEndpoint[], options: { color: boolean }): string {
  const coloured = (format: Parameters<typeof paint>[0], text: string) => (options.color ? paint(format, text) : text);
  const { total } = result;
  const rows = result.endpoints.map((counts) => [
    counts.name,
    ...[counts.expected, counts.received, counts.verified, counts.retried, counts.lost, counts.duplicates].map(
      formatCount,
    ),
    formatMs(counts.publishToReceiveMs.p50),
    formatMs(counts.publishToReceiveMs.p99),
  ]);
  const widths = ['endpoint', ...COLUMNS].map((name, i) => Math.max(name.length, ...rows.map((row) => row[i].length)));
  const align = (row: string[]) =>
    `  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ')}`;
  const troubles = endpoints
    .filter(({ trouble }) => trouble !== '')
    .map(({ name, trouble }) => `  ${name} ${trouble}.`);
  const verdict = (text: string, good: boolean) => coloured(good ? 'green' : 'red', text);
  const sums: [string, string][] = [
    ['events', formatCount(result.events)],
    ['deliveries', `${formatCount(total.received)} of ${formatCount(total.expected)} expected`],
    [
      'verified',
      `${verdict(formatCount(total.verified), total.verified === total.received)} (signature by the standardwebhooks package, data byte for byte)`,
    ],
    ['retried', formatCount(total.retried)],
    ['lost', verdict(formatCount(total.lost), total.lost === 0)],
    ['duplicates', formatCount(total.duplicates)],
    ...(total.unexpected > 0
      ? [['unexpected', verdict(formatCount(total.unexpected), false)] satisfies [string, string]]
      : []),
    [
      'deliveries/s',
      `${formatCount(result.deliveriesPerSecond)} on average at the pace of publishing, ${formatCount(result.bestSecond)} in the best second`,
    ],
    ['publish→receive', `${formatLatency(total.publishToReceiveMs)} (the endpoints that are well)`],
  ];
  const sumWidth = Math.max(...sums.map(([label]) => label.length));
  return [
    '',
    coloured('bold', align(['endpoint', ...COLUMNS])),
    ...rows.map(align),
    '',
    ...troubles,
    '',
    ...sums.map(([label, text]) => `  ${label.padEnd(sumWidth)}  ${text}`),
    '',
    verdict(result.ok ? '  Every delivery arrived and was verified.' : `  ${complaint(result)}`, result.ok),
    '',
  ].join('\n');
}

/** One object for programs. Times in ms, rounded to two places. */
export function summaryJson(result: DemoResult): Record<string, unknown> {
  const counts = ({ publishToReceiveMs: { p50, p99 }, ...numbers }: DemoResult['total']) => ({
    ...numbers,
    publishToReceiveMs: { p50: round(p50), p99: round(p99) },
  });
  return {
    ok: result.ok,
    events: result.events,
    ...counts(result.total),
    deliveriesPerSecond: Math.round(result.deliveriesPerSecond),
    bestSecond: result.bestSecond,
    endpoints: result.endpoints.map(({ name, ...rest }) => ({ name, ...counts(rest) })),
  };
}

function complaint({ total }: DemoResult): string {
  const wrong = [
    [total.lost, 'missing'],
    [total.received - total.verified, 'unverified'],
    [total.unexpected, 'unexpected'],
  ].filter(([count]) => count !== 0);
  if (wrong.length === 0) return 'Nothing was published.';
  return `Of ${formatCount(total.expected)} deliveries ${wrong.map(([count, what]) => `${count} ${what}`).join(', ')}.`;
}

function formatLatency({ p50, p99 }: LatencyMs): string {
  return `p50 ${formatMs(p50)}, p99 ${formatMs(p99)}`;
}

function formatMs(ms: number | null): string {
  if (ms === null) return '–';
  return ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

function round(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms * 100) / 100;
}
