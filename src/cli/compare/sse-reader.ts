// Follows the log by Server-Sent Events, as EventSource does: the last id is the cursor to go on from.
import { type ClientRequest, request } from 'node:http';
import type { Consumer, ConsumerParts } from './consumer.ts';

const RECONNECT_MS = 1000;

export class SseReader implements Consumer {
  readonly #parts: ConsumerParts;
  #cursor: string | null = null;
  #call: ClientRequest | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ConsumerParts) {
    this.#parts = parts;
  }

  resume(): Promise<void> {
    const { url, app, apiKey, meter } = this.#parts;
    meter.request();
    return new Promise((resolve) => {
      const headers = {
        authorization: `Bearer ${apiKey}`,
        accept: 'text/event-stream',
        ...(this.#cursor !== null && { 'last-event-id': this.#cursor }),
      };
      const call = request(`${url}/v1/apps/${app}/stream`, { agent: false, headers });
      this.#call = call;
      call.on('socket', (socket) => meter.watch(socket));
      call.on('error', () => {});
      call.on('close', () => {
        // Not by us: the server went away or refused.
        if (this.#call === call) this.#timer = setTimeout(() => void this.resume(), RECONNECT_MS);
      });
      call.on('response', (response) => {
        resolve();
        if (response.statusCode !== 200) {
          call.destroy();
          return;
        }
        let rest = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          const blocks = (rest + part).split('\n\n');
          rest = blocks.pop()!;
          if (this.#call === call) for (const block of blocks) this.#take(block);
        });
        response.on('error', () => {});
      });
      call.end();
    });
  }

  async interrupt(): Promise<void> {
    clearTimeout(this.#timer);
    const call = this.#call;
    this.#call = null;
    call?.destroy();
  }

  #take(block: string): void {
    const fields = new Map(
      block.split('\n').map((line): [string, string] => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
      }),
    );
    const cursor = fields.get('id');
    if (cursor === undefined) return;
    this.#cursor = cursor;
    if (!fields.has('event')) this.#parts.received((JSON.parse(fields.get('data')!) as { id: string }).id);
  }
}
