import { describe, expect, test } from 'vitest';
import { formatNumber, renderTable, roundTo } from './table.ts';

describe('table', () => {
  test('aligns labels left and values right', () => {
    const text = renderTable({
      title: 'throughput',
      columns: ['fanOut1', 'x'],
      rows: [
        { label: 'deliveries/s', cells: ['12,000', '1'] },
        { label: 'ack', cells: ['–', '22.5'] },
      ],
      notes: ['A note.'],
    });
    expect(text).toBe(
      [
        'throughput',
        '',
        '                fanOut1     x',
        '  deliveries/s   12,000     1',
        '  ack                 –  22.5',
        '',
        '  A note.',
        '',
      ].join('\n'),
    );
  });

  test('shows and rounds numbers, and what was not measured', () => {
    expect([formatNumber(1234567.6), formatNumber(0.456, 2), formatNumber(null), formatNumber(Number.NaN)]).toEqual([
      '1,234,568',
      '0.46',
      '–',
      '–',
    ]);
    expect([roundTo(1.2345, 2), roundTo(null), roundTo(Number.NaN, 1)]).toEqual([1.23, null, null]);
  });
});
