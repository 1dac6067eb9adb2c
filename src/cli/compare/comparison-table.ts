// The comparison as a table: for terminals in aligned columns, for documents in Markdown.
import type { Measurement } from './measurement.ts';

export interface ComparisonReport {
  /** As `tidings compare` was called. */
  command: string;
  /** On what it was measured. */
  machine: string;
  outageSeconds: number;
  measurements: Measurement[];
}

export const HEADINGS = [
  'consumer',
  'requests/min',
  'of them empty',
  'bytes to consumer per event',
  'bytes from consumer per event',
  'server CPU per event',
  'delay p50',
  'delay p99',
  'open connections',
];

export const OUTAGE_HEADINGS = ['consumer', 'missed', 'made good by', 'made good', 'caught up within', 'lost', 'twice'];

export function cellsOf(one: Measurement): string[] {
  const isRead = one.bytesToConsumerPerEvent !== null;
  return [
    one.label,
    isRead ? count(one.requestsPerMinute) : '–',
    isRead ? count(one.emptyAnswersPerMinute) : '–',
    count(one.bytesToConsumerPerEvent),
    count(one.bytesFromConsumerPerEvent),
    one.serverCpuMicrosPerEvent === null ? '–' : `${(one.serverCpuMicrosPerEvent / 1000).toFixed(2)} ms`,
    formatMs(one.delayMs.p50),
    formatMs(one.delayMs.p99),
    isRead ? String(one.openConnections) : '–',
  ];
}

export function outageCellsOf({ label, outage, lost, duplicates }: Measurement): string[] {
  return [
    label,
    String(outage.missed),
    outage.madeGoodBy,
    String(outage.madeGood),
    formatMs(outage.catchUpMs),
    String(lost),
    String(duplicates),
  ];
}

/** Those that have something to miss. */
export function consumersOf(measurements: Measurement[]): Measurement[] {
  return measurements.filter(
    ({ bytesToConsumerPerEvent, kind }) => kind !== 'nobody' && bytesToConsumerPerEvent !== null,
  );
}

/** Measurements by events per second, as they were asked for. */
export function byRate(measurements: Measurement[]): [number, Measurement[]][] {
  const rates = [...new Set(measurements.map(({ perSecond }) => perSecond))];
  return rates.map((rate) => [rate, measurements.filter(({ perSecond }) => perSecond === rate)]);
}

export function renderMarkdown({ command, machine, outageSeconds, measurements }: ComparisonReport): string {
  const row = (cells: string[]) => `| ${cells.join(' | ')} |`;
  const table = (headings: string[], rows: string[][]) =>
    [headings, headings.map((_, i) => (i === 0 ? '---' : '---:')), ...rows].map(row);
  return [
    `Measured by \`${command}\` on ${machine}.`,
    ...byRate(measurements).flatMap(([rate, some]) => [
      '',
      `**${rateWords(rate)}**`,
      '',
      ...table(HEADINGS, some.map(cellsOf)),
      '',
      `After ${outageSeconds} seconds away:`,
      '',
      ...table(OUTAGE_HEADINGS, consumersOf(some).map(outageCellsOf)),
    ]),
    '',
  ].join('\n');
}

/** For a terminal or a pipe. */
export function renderText(report: ComparisonReport, bold: (text: string) => string): string {
  return byRate(report.measurements)
    .flatMap(([rate, some]) => [
      '',
      bold(rateWords(rate)),
      ...aligned(HEADINGS, some.map(cellsOf), bold),
      '',
      bold(`After ${report.outageSeconds} seconds away`),
      ...aligned(OUTAGE_HEADINGS, consumersOf(some).map(outageCellsOf), bold),
      '',
    ])
    .join('\n');
}

export function rateWords(perSecond: number): string {
  return `${perSecond} event${perSecond === 1 ? '' : 's'} of 1 KB per second`;
}

export function formatMs(ms: number | null): string {
  if (ms === null) return '–';
  return ms < 1000 ? `${ms.toFixed(ms < 100 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function count(value: number | null): string {
  return value === null ? '–' : Math.round(value).toLocaleString('en-US');
}

function aligned(headings: string[], rows: string[][], bold: (text: string) => string): string[] {
  const widths = headings.map((heading, i) => Math.max(heading.length, ...rows.map((cells) => cells[i].length)));
  const line = (cells: string[]) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  return [bold(line(headings)), ...rows.map(line)];
}
