// A reader that pages through an app's log by cursor while everything around it fails. An answer that fails is asked for again with the same
// cursor: that is all that a reader needs to know.
import { setTimeout as pause } from 'node:timers/promises';
import type { ReadLog } from './invariants.ts';

export interface LogReaderParts {
  appId: string;
  apiKey: string;
  urls: () => string[];
}

interface Page {
  events: { id: string; position: number }[];
  cursor: string;
}

const EVERY_MS = 100;
const TIMEOUT_MS = 8000;
const LIMIT = 200;

export class LogReader implements ReadLog {
  readonly #parts: LogReaderParts;
  readonly events: { id: string; position: number }[] = [];
  #cursor: string | null = null;
  #stopped = true;
  #running: Promise<void> = Promise.resolve();
  #turn = 0;

  constructor(parts: LogReaderParts) {
    this.#parts = parts;
  }

  get appId(): string {
    return this.#parts.appId;
  }

  start(): void {
    this.#stopped = false;
    this.#running = this.#run();
  }

  /** Ends once it has seen the position, or at the time limit. */
  async stopAt(position: number, timeoutMs: number): Promise<void> {
    const giveUpMs = Date.now() + timeoutMs;
    while (this.events.length < position && Date.now() < giveUpMs) await pause(50);
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const page = await this.#read().catch(() => null);
      if (page) {
        for (const { id, position } of page.events) this.events.push({ id, position });
        this.#cursor = page.cursor;
      }
      if (!page || page.events.length === 0) await pause(EVERY_MS);
    }
  }

  async #read(): Promise<Page | null> {
    const urls = this.#parts.urls();
    const url = urls[this.#turn++ % urls.length];
    if (url === undefined) return null;
    const query = new URLSearchParams({ limit: String(LIMIT), ...(this.#cursor && { after: this.#cursor }) });
    const response = await fetch(`${url}/v1/apps/${this.appId}/events?${query}`, {
      headers: { authorization: `Bearer ${this.#parts.apiKey}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    return response.ok ? (JSON.parse(text) as Page) : null;
  }
}
