// SIGINT and SIGTERM: the first asks to stop, the second ends the process at once.
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export class StopSignals {
  readonly #abort = new AbortController();
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (this.#abort.signal.aborted) process.exit(128 + constants.signals[signal]);
    this.#abort.abort();
  };

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  listen(): this {
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
    return this;
  }

  /** Resolves with the first signal, at once if it came before. */
  first(): Promise<void> {
    return new Promise((resolve) => {
      if (this.signal.aborted) resolve();
      else this.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}
