// SIGINT and SIGTERM: the first asks to stop, the second ends the process at once. SIGHUP, where somebody wants it, is a request of its own,
// unless there is a terminal: then it says that the terminal was closed, and asks to stop.
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export interface StopSignalsOptions {
  onHangUp?: () => void;
  /** Called before the process is ended at once. */
  onLast?: () => void;
}

export class StopSignals {
  readonly #options: StopSignalsOptions;
  readonly #abort = new AbortController();

  constructor(options: StopSignalsOptions = {}) {
    this.#options = options;
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  listen(): this {
    for (const signal of SIGNALS) process.on(signal, () => this.#onStop(signal));
    const { onHangUp } = this.#options;
    if (onHangUp) process.on('SIGHUP', () => (hasTerminal() ? this.#abort.abort() : onHangUp()));
    return this;
  }

  /** Resolves with the first signal, at once if it came before. */
  first(): Promise<void> {
    return new Promise((resolve) => {
      if (this.signal.aborted) resolve();
      else this.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  #onStop(signal: (typeof SIGNALS)[number]): void {
    if (this.#abort.signal.aborted) {
      this.#options.onLast?.();
      process.exit(128 + constants.signals[signal]);
    }
    this.#abort.abort();
  }
}

function hasTerminal(): boolean {
  return [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY === true);
}
