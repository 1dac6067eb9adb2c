// The comparison as one HTML file with its charts in SVG. It loads nothing, from nowhere.
import {
  byRate,
  type ComparisonReport,
  cellsOf,
  consumersOf,
  formatMs,
  HEADINGS,
  OUTAGE_HEADINGS,
  outageCellsOf,
  rateWords,
} from './comparison-table.ts';
import type { Measurement } from './measurement.ts';

interface Chart {
  title: string;
  /** A poll's delay is a thousand times that of a stream: then the bars' lengths are logarithms. */
  scale: 'linear' | 'logarithmic';
  value: (one: Measurement) => number | null;
  format: (value: number) => string;
}

const CHARTS: Chart[] = [
  { title: 'Delay p50', scale: 'logarithmic', value: ({ delayMs }) => delayMs.p50, format: formatMs },
  { title: 'Delay p99', scale: 'logarithmic', value: ({ delayMs }) => delayMs.p99, format: formatMs },
  { title: 'Requests per minute', scale: 'logarithmic', value: (one) => one.requestsPerMinute, format: whole },
  {
    title: 'Bytes per event, both ways',
    scale: 'linear',
    value: (one) =>
      one.bytesToConsumerPerEvent === null ? null : one.bytesToConsumerPerEvent + (one.bytesFromConsumerPerEvent ?? 0),
    format: whole,
  },
  {
    title: 'Server CPU per event',
    scale: 'linear',
    value: (one) => one.serverCpuMicrosPerEvent,
    format: (micros) => `${(micros / 1000).toFixed(2)} ms`,
  },
];

const BAR_PX = 22;
const LABEL_PX = 130;
const CHART_PX = 620;
const VALUE_PX = 80;

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fff; --line: #c9d1db; --bar: #2f6f9f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9f0; --paper: #14181e; --line: #3a4552; --bar: #5aa2d6; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto; max-width: 64rem; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { white-space: nowrap; border-bottom: 1px solid var(--line); padding: .25rem .6rem; text-align: right; }
th { white-space: normal; }
th:first-child, td:first-child { text-align: left; }
svg { max-width: 100%; height: auto; }
svg text { font: 13px system-ui, sans-serif; fill: var(--ink); }
svg rect { fill: var(--bar); }`;

export function renderPage({ command, machine, outageSeconds, measurements }: ComparisonReport): string {
  const sections = byRate(measurements).flatMap(([rate, some]) => [
    `<h2>${escapeHtml(rateWords(rate))}</h2>`,
    renderTable(HEADINGS, some.map(cellsOf)),
    `<h3>After ${outageSeconds} seconds away</h3>`,
    renderTable(OUTAGE_HEADINGS, consumersOf(some).map(outageCellsOf)),
    ...CHARTS.map((chart) => `<h3>${heading(chart)}</h3>\n${renderChart(chart, some)}`),
  ]);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Polling, waiting, streaming and webhooks compared</title>
<style>${STYLE}
</style>
</head>
<body>
<h1>Polling, waiting, streaming and webhooks compared</h1>
<p>Measured by <code>${escapeHtml(command)}</code> on ${escapeHtml(machine)}.</p>
${sections.join('\n')}
</body>
</html>
`;
}

function heading({ title, scale }: Chart): string {
  return scale === 'linear' ? title : `${title} (${scale} scale)`;
}

/** Bars with their values; a logarithmic scale begins a decade below the least. */
function renderChart(chart: Chart, measurements: Measurement[]): string {
  const { value, format, scale } = chart;
  const bars = measurements.flatMap((one) => {
    const amount = value(one);
    return amount === null || amount <= 0 ? [] : [{ label: one.label, amount }];
  });
  const lengths = bars.map(({ amount }) => (scale === 'linear' ? amount : Math.log10(amount)));
  const floor = scale === 'linear' ? 0 : Math.min(...lengths) - 1;
  const span = Math.max(...lengths) - floor;
  const height = bars.length * BAR_PX;
  const rows = bars.map(({ label, amount }, i) => {
    const width = Math.round(((lengths[i] - floor) / span) * (CHART_PX - LABEL_PX - VALUE_PX));
    const middle = i * BAR_PX + 15;
    return [
      `<text x="0" y="${middle}">${escapeHtml(label)}</text>`,
      `<rect x="${LABEL_PX}" y="${i * BAR_PX + 3}" width="${width}" height="${BAR_PX - 6}"/>`,
      `<text x="${LABEL_PX + width + 6}" y="${middle}">${escapeHtml(format(amount))}</text>`,
    ].join('');
  });
  return `<svg role="img" aria-label="${escapeHtml(heading(chart))}" viewBox="0 0 ${CHART_PX} ${height}" width="${CHART_PX}">${rows.join('\n')}</svg>`;
}

function renderTable(headings: string[], rows: string[][]): string {
  const row = (cell: 'th' | 'td', cells: string[]) =>
    `<tr>${cells.map((text) => `<${cell}>${escapeHtml(text)}</${cell}>`).join('')}</tr>`;
  return `<div class="wide"><table>\n${[row('th', headings), ...rows.map((cells) => row('td', cells))].join('\n')}\n</table></div>`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
