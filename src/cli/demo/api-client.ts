// The calls of the HTTP API that demo and comparison make, as any user of Tidings would make them.
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { type DemoEndpoint, RETRY_DELAYS_SECONDS } from './demo-endpoints.ts';
import type { DemoEvent } from './github-events.ts';

const OVERLOADED_PAUSE_MS = 200;

export class ApiClient {
  readonly #url: string;
  readonly #agent: Agent;
  readonly #apiKey: string;

  constructor(options: { url: string; apiKey: string; connections: number }) {
    this.#url = options.url;
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.connections });
    this.#apiKey = options.apiKey;
  }

  async createApp(name: string): Promise<string> {
    const { id } = await this.#post<{ id: string }>('/v1/apps', JSON.stringify({ name }));
    return id;
  }

  async createEndpoint(app: string, endpoint: DemoEndpoint, url: string): Promise<void> {
    const body = {
      url,
      description: `The endpoint "${endpoint.name}"`,
      secret: endpoint.secret,
      filter: endpoint.types === null ? undefined : { types: endpoint.types },
      retry: endpoint.trouble === '' ? undefined : { delaysSeconds: RETRY_DELAYS_SECONDS },
    };
    await this.#post(`/v1/apps/${app}/endpoints`, JSON.stringify(body));
  }

  /** Publishes under the event's own id, so a publish that was refused may be repeated. Returns the id it has. */
  async publish(app: string, event: Pick<DemoEvent, 'id' | 'type' | 'data'>): Promise<string> {
    const body = `{"id":"${event.id}","type":"${event.type}","data":${event.data}}`;
    return (await this.#post<{ id: string }>(`/v1/apps/${app}/events`, body)).id;
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }

  async #post<T>(path: string, body: string): Promise<T> {
    for (;;) {
      const { status, answer } = await this.#send(path, body);
      if (status === 503) {
        await pause(OVERLOADED_PAUSE_MS);
        continue;
      }
      if (status > 299) throw new Error(`POST ${path} was answered with ${status}: ${answer.slice(0, 500)}`);
      return JSON.parse(answer) as T;
    }
  }

  // node:http, as the global fetch takes five times the CPU, and publisher and server share a process in the demo.
  #send(path: string, body: string): Promise<{ status: number; answer: string }> {
    return new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${this.#apiKey}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      };
      const call = request(`${this.#url}${path}`, { method: 'POST', agent: this.#agent, headers }, (response) => {
        text(response).then((answer) => resolve({ status: response.statusCode ?? 0, answer }), reject);
      });
      call.on('error', reject);
      call.end(body);
    });
  }
}
