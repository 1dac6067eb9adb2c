// Publishers that behave as ours are told to: every event has an id of its own, and what was not acknowledged is published again
// with the same id, to another process if need be. So an event is acknowledged or it is not, and a 503 loses nothing.
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { Ledger } from './ledger.ts';
import { hashData } from './receiver.ts';

export interface LoadedApp {
  id: string;
  eventsPerSecond: number;
  /** Bytes of data beyond the few that make each event different. */
  paddingBytes?: number;
  type?: string;
}

export interface PublisherParts {
  ledger: Ledger;
  apiKey: string;
  /** The processes that may be asked now. */
  urls: () => string[];
}

const TURN_MS = 20;
const MAX_OPEN = 64;
const TIMEOUT_MS = 8000;

/** Answers that are no acknowledgement, by what they were: a status, or the error's code. */
export type Refusals = Record<string, number>;

export class Publisher {
  readonly #parts: PublisherParts;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
  readonly #open = new Set<Promise<void>>();
  readonly #openByApp = new Map<string, number>();
  readonly #rates = new Map<string, LoadedApp & { due: number }>();
  readonly refusals: Refusals = {};
  #timer: NodeJS.Timeout | null = null;
  #lastMs = 0;
  #sequence = 0;
  #stopped = true;
  #turn = 0;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  /** Sets an app's load; 0 events a second ends it. */
  load(app: LoadedApp): void {
    this.#rates.set(app.id, { ...app, due: 0 });
  }

  start(): void {
    this.#stopped = false;
    this.#lastMs = performance.now();
    this.#timer = setInterval(() => this.#publishDue(), TURN_MS);
  }

  /** Publishes nothing new, and waits until everything begun is acknowledged. False: that did not come in time. */
  async finish(timeoutMs: number): Promise<boolean> {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    const end = new AbortController();
    const finished = Promise.all(this.#open).then(() => true);
    const timeout = pause(timeoutMs, false, { signal: end.signal }).catch(() => false);
    const inTime = await Promise.race([finished, timeout]);
    end.abort();
    this.#stopped = true;
    await finished;
    this.#agent.destroy();
    return inTime;
  }

  /** One event, now, whatever the load. */
  async publish(appId: string, event: { type: string; data: string }): Promise<string> {
    const id = `f-${this.#sequence++}-${randomBytes(4).toString('hex')}`;
    const body = `{"id":"${id}","type":"${event.type}","data":${event.data}}`;
    const hash = hashData(event.data);
    this.#parts.ledger.sent({ appId, id, type: event.type, dataHash: hash, sentAtMs: Date.now() });
    await this.#insist(appId, id, body);
    return id;
  }

  #publishDue(): void {
    const nowMs = performance.now();
    const elapsed = (nowMs - this.#lastMs) / 1000;
    this.#lastMs = nowMs;
    for (const app of this.#rates.values()) {
      // What could not be published while the server was away is not made up for at once.
      app.due = Math.min(app.due + app.eventsPerSecond * elapsed, 1 + app.eventsPerSecond / 10);
      for (; app.due >= 1; app.due--) {
        const open = this.#openByApp.get(app.id) ?? 0;
        if (open >= MAX_OPEN) break;
        this.#openByApp.set(app.id, open + 1);
        const done: Promise<void> = this.publish(app.id, { type: app.type ?? 'load.event', data: this.#data(app) })
          .catch(() => {})
          .then(() => {
            this.#openByApp.set(app.id, this.#openByApp.get(app.id)! - 1);
            this.#open.delete(done);
          });
        this.#open.add(done);
      }
    }
  }

  /** With what a parser and a second writer would not give back as it was: a large number, escapes, the order of keys, blanks. */
  #data({ paddingBytes = 200 }: LoadedApp): string {
    return `{"z":12345678901234567890, "a":"\\u00e9\\/é","n":${this.#sequence},"x":1.0,"pad":"${'x'.repeat(paddingBytes)}"}`;
  }

  async #insist(appId: string, id: string, body: string): Promise<void> {
    for (let waitMs = 50; !this.#stopped || waitMs === 50; waitMs = Math.min(500, waitMs * 2)) {
      const urls = this.#parts.urls();
      const url = urls[this.#turn++ % urls.length];
      const answer = url === undefined ? 'no process' : await this.#post(`${url}/v1/apps/${appId}/events`, body);
      if (typeof answer === 'object') {
        this.#parts.ledger.acknowledge(id, { position: answer.position, atMs: Date.now() });
        return;
      }
      this.refusals[answer] = (this.refusals[answer] ?? 0) + 1;
      await pause(waitMs);
    }
  }

  #post(url: string, body: string): Promise<{ position: number } | string> {
    return new Promise((resolve) => {
      const request = http.request(url, {
        method: 'POST',
        agent: this.#agent,
        timeout: TIMEOUT_MS,
        headers: {
          authorization: `Bearer ${this.#parts.apiKey}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        },
      });
      request.on('timeout', () => request.destroy(Object.assign(new Error('timeout'), { code: 'timeout' })));
      request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      request.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
        response.on('end', () => {
          if (response.statusCode !== 202) resolve(String(response.statusCode));
          else resolve({ position: (JSON.parse(text) as { position: number }).position });
        });
      });
      request.end(body);
    });
  }
}
