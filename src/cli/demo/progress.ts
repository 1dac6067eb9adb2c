// Progress as a block of lines that is drawn over itself in a terminal, and as one line a second elsewhere.
import { styleText } from 'node:util';

export interface ProgressBar {
  label: string;
  done: number;
  of: number;
  /** Said behind the bar. */
  note: string;
}

export interface ProgressOptions {
  out: NodeJS.WritableStream & { columns?: number };
  isTty: boolean;
  color: boolean;
}

const BAR_CELLS = 24;
const REDRAW_MS = 100;
const LINE_MS = 1000;
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';

export class Progress {
  readonly #options: ProgressOptions;
  #drawnLines = 0;
  #drawnAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  /** Shows the bars if it is time to; asks for them only then. */
  show(bars: () => ProgressBar[], nowMs: number): void {
    const everyMs = this.#options.isTty ? REDRAW_MS : LINE_MS;
    if (nowMs - this.#drawnAtMs < everyMs) return;
    this.#draw(bars());
    this.#drawnAtMs = nowMs;
  }

  /** Shows the bars a last time. */
  end(bars: ProgressBar[]): void {
    this.#draw(bars);
    this.leave();
  }

  /** Gives the terminal back as it was. */
  leave(): void {
    if (this.#drawnLines > 0) this.#options.out.write(`${SHOW_CURSOR}\n`);
    this.#drawnLines = 0;
  }

  #draw(bars: ProgressBar[]): void {
    const { out, isTty, color } = this.#options;
    if (!isTty) {
      out.write(`${renderLine(bars)}\n`);
      return;
    }
    const up = this.#drawnLines > 0 ? `\u001b[${this.#drawnLines}A` : HIDE_CURSOR;
    const lines = renderBars(bars, { columns: out.columns || 80, color });
    out.write(up + lines.map((line) => `\r\u001b[2K${line}\n`).join(''));
    this.#drawnLines = lines.length;
  }
}

/** One line per bar, none longer than the terminal is wide. */
export function renderBars(bars: ProgressBar[], options: { columns: number; color: boolean }): string[] {
  const labelWidth = Math.max(...bars.map(({ label }) => label.length));
  const countWidth = Math.max(...bars.map(({ of }) => formatCount(of).length));
  return bars.map(({ label, done, of, note }) => {
    const cells = of === 0 ? 0 : Math.floor((Math.min(done, of) / of) * BAR_CELLS);
    const filled = '█'.repeat(cells);
    const empty = '░'.repeat(BAR_CELLS - cells);
    const counts = `${formatCount(done).padStart(countWidth)} / ${formatCount(of).padStart(countWidth)}`;
    const head = `  ${label.padEnd(labelWidth)}  `;
    const tail = `  ${counts}${note && `  ${note}`}`;
    const room = options.columns - 1 - head.length - BAR_CELLS;
    if (room < counts.length + 2) return `${head}${counts}`.slice(0, options.columns - 1);
    const bar = options.color ? paint('green', filled) + paint('dim', empty) : filled + empty;
    return head + bar + tail.slice(0, room);
  });
}

/** All bars in one line, for logs. */
export function renderLine(bars: ProgressBar[]): string {
  return bars.map(({ label, done, of }) => `${label} ${done}/${of}`).join(', ');
}

export function formatCount(count: number): string {
  return count.toLocaleString('en-US', { maximumFractionDigits: 0 });
}

/** Colours without asking the terminal again: whoever calls has decided. */
export function paint(format: Parameters<typeof styleText>[0], text: string): string {
  return styleText(format, text, { validateStream: false });
}
