// Asks for what comes after its cursor: again and again, or with `wait` so that the answer comes when there is something to tell.
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import type { Consumer, ConsumerParts } from './consumer.ts';

const WAIT_SECONDS = 30;
const RETRY_MS = 1000;

interface Page {
  events: { id: string }[];
  cursor: string;
  done: boolean;
}

export class LogPoller implements Consumer {
  readonly #parts: ConsumerParts;
  readonly #agent = new Agent({ keepAlive: true });
  #cursor: string | null = null;
  /** Of the page after the cursor, while it was empty. */
  #etag: string | null = null;
  #away = new AbortController();
  #running: Promise<void> = Promise.resolve();

  /** With an interval of 0 it waits at the server. */
  constructor(parts: ConsumerParts) {
    this.#parts = parts;
  }

  async resume(): Promise<void> {
    this.#away = new AbortController();
    this.#running = this.#run(this.#away.signal);
  }

  async interrupt(): Promise<void> {
    this.#away.abort();
    await this.#running;
    this.#agent.destroy();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { intervalMs } = this.#parts;
    while (!signal.aborted) {
      const beganMs = performance.now();
      let pauseMs: number;
      try {
        const readOn = await this.#poll(signal);
        pauseMs = readOn ? 0 : Math.max(0, beganMs + intervalMs - performance.now());
      } catch {
        pauseMs = RETRY_MS;
      }
      if (pauseMs > 0) await pause(pauseMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Returns whether there is more to read at once. */
  async #poll(signal: AbortSignal): Promise<boolean> {
    const { meter, received } = this.#parts;
    meter.request();
    const response = await this.#ask(signal);
    const body = await text(response);
    if (response.statusCode === 304) {
      meter.emptyAnswer();
      return false;
    }
    if (response.statusCode !== 200) throw new Error(`The server answered ${response.statusCode}.`);
    const { events, cursor, done } = JSON.parse(body) as Page;
    for (const { id } of events) received(id);
    this.#cursor = cursor;
    this.#etag = events.length === 0 && done ? (response.headers.etag ?? null) : null;
    if (events.length === 0) meter.emptyAnswer();
    return !done;
  }

  #ask(signal: AbortSignal): Promise<IncomingMessage> {
    const { url, app, apiKey, intervalMs, meter } = this.#parts;
    const query = new URLSearchParams();
    if (this.#cursor !== null) query.set('after', this.#cursor);
    if (intervalMs === 0) query.set('wait', String(WAIT_SECONDS));
    const headers = {
      authorization: `Bearer ${apiKey}`,
      ...(this.#etag !== null && { 'if-none-match': this.#etag }),
    };
    return new Promise((resolve, reject) => {
      const call: ClientRequest = request(`${url}/v1/apps/${app}/events?${query}`, {
        agent: this.#agent,
        headers,
        signal,
      });
      call.on('socket', (socket) => meter.watch(socket));
      call.on('response', resolve);
      call.on('error', reject);
      call.end();
    });
  }
}
