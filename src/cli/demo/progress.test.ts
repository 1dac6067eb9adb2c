import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { Progress, renderBars } from './progress.ts';

const BARS = [
  { label: 'published', done: 1500, of: 3000, note: '' },
  { label: 'late', done: 0, of: 300, note: 'is down for the first 3 seconds' },
];

function capture() {
  const written: string[] = [];
  const out = new Writable({
    write(chunk, _, done) {
      written.push(String(chunk));
      done();
    },
  });
  return { out, written };
}

describe('progress', () => {
  test('draws a bar per line, none longer than the terminal is wide', () => {
    expect(renderBars(BARS, { columns: 100, color: false })).toEqual([
      '  published  ████████████░░░░░░░░░░░░  1,500 / 3,000',
      '  late       ░░░░░░░░░░░░░░░░░░░░░░░░      0 /   300  is down for the first 3 seconds',
    ]);
    for (let columns = 10; columns < 100; columns++) {
      for (const line of renderBars(BARS, { columns, color: false })) expect(line.length).toBeLessThan(columns);
    }
  });

  test('draws over itself in a terminal and gives the cursor back', () => {
    const { out, written } = capture();
    const progress = new Progress({ out, isTty: true, color: false });
    progress.show(() => BARS, 0);
    progress.show(() => BARS, 50);
    progress.show(() => BARS, 100);
    progress.end(BARS);
    progress.leave();
    expect(written).toHaveLength(4);
    expect(written[0].startsWith('\u001b[?25l')).toBe(true);
    expect(written[1].startsWith('\u001b[2A\r\u001b[2K')).toBe(true);
    expect(written[3]).toBe('\u001b[?25h\n');
  });

  test('writes a plain line a second into a pipe', () => {
    const { out, written } = capture();
    const progress = new Progress({ out, isTty: false, color: false });
    for (let nowMs = 0; nowMs <= 2000; nowMs += 100) progress.show(() => BARS, nowMs);
    progress.leave();
    expect(written).toEqual(Array(3).fill('published 1500/3000, late 0/300\n'));
  });

  test('colours only when told to', () => {
    const plain = renderBars(BARS, { columns: 100, color: false }).join('');
    const coloured = renderBars(BARS, { columns: 100, color: true }).join('');
    expect(plain).not.toContain('\u001b');
    expect(coloured.replaceAll(/\u001b\[\d+m/g, '')).toBe(plain);
    expect(coloured).not.toBe(plain);
  });
});
