// A plain table: a column of labels, then columns of values, aligned right. No colour, so that it can be pasted.

export interface Table {
  title: string;
  columns: string[];
  rows: { label: string; cells: string[] }[];
  /** Sentences below the table. */
  notes?: string[];
}

export function renderTable(table: Table): string {
  const lines = [['', ...table.columns], ...table.rows.map(({ label, cells }) => [label, ...cells])];
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const body = lines.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd(),
  );
  const notes = (table.notes ?? []).map((note) => `  ${note}`);
  return [table.title, '', ...body.map((line) => `  ${line}`), ...(notes.length > 0 ? ['', ...notes] : []), ''].join(
    '\n',
  );
}

/** 12345.6 → `12,346`; with `decimals` 1 → `12,345.6`; a dash for what was not measured. */
export function formatNumber(value: number | null, decimals = 0): string {
  if (value === null || Number.isNaN(value)) return '–';
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** For JSON: rounded, and null for what was not measured. */
export function roundTo(value: number | null, decimals = 0): number | null {
  if (value === null || Number.isNaN(value)) return null;
  const factor = 10 ** decimals;
  return Math.round(value * factor) / factor;
}
