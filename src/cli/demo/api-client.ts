// The calls of the HTTP API that the demo makes, as any user of Tidings would make them.
import { setTimeout as pause } from 'node:timers/promises';
import { type DemoEndpoint, RETRY_DELAYS_SECONDS } from './demo-endpoints.ts';
import type { DemoEvent } from './github-events.ts';

const OVERLOADED_PAUSE_MS = 200;

export class ApiClient {
  readonly #url: string;
  readonly #apiKey: string;

  constructor(options: { url: string; apiKey: string }) {
    this.#url = options.url;
    this.#apiKey = options.apiKey;
  }

  async createApp(name: string): Promise<string> {
    const { id } = await this.#post<{ id: string }>('/v1/apps', JSON.stringify({ name }));
    return id;
  }

  async createEndpoint(app: string, endpoint: DemoEndpoint, url: string): Promise<void> {
    const body = {
      url,
      description: `The endpoint "${endpoint.name}" of the demo`,
      secret: endpoint.secret,
      filter: endpoint.types === null ? undefined : { types: endpoint.types },
      retry: endpoint.trouble === '' ? undefined : { delaysSeconds: RETRY_DELAYS_SECONDS },
    };
    await this.#post(`/v1/apps/${app}/endpoints`, JSON.stringify(body));
  }

  /** Publishes under the event's own id, so a publish that was refused may be repeated. Returns the id it has. */
  async publish(app: string, event: DemoEvent): Promise<string> {
    const body = `{"id":"${event.id}","type":"${event.type}","data":${event.data}}`;
    return (await this.#post<{ id: string }>(`/v1/apps/${app}/events`, body)).id;
  }

  async #post<T>(path: string, body: string): Promise<T> {
    for (;;) {
      const response = await fetch(`${this.#url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${this.#apiKey}`, 'content-type': 'application/json' },
        body,
      });
      const text = await response.text();
      if (response.status === 503) {
        await pause(OVERLOADED_PAUSE_MS);
        continue;
      }
      if (response.status > 299) {
        throw new Error(`POST ${path} was answered with ${response.status}: ${text.slice(0, 500)}`);
      }
      return JSON.parse(text) as T;
    }
  }
}
