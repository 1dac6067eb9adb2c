// Follows the log over WebSocket, and grants events in bulk: one message for every fifty that came.
import { WebSocket } from 'ws';
import type { Consumer, ConsumerParts } from './consumer.ts';

const FIRST_GRANT = 100;
const NEXT_GRANT = 50;
const RECONNECT_MS = 1000;

type Message = { type: 'event'; event: { id: string; cursor: string } } | { type: 'cursor'; cursor: string };

export class WebSocketReader implements Consumer {
  readonly #parts: ConsumerParts;
  #cursor: string | null = null;
  #socket: WebSocket | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ConsumerParts) {
    this.#parts = parts;
  }

  resume(): Promise<void> {
    const { url, app, apiKey, meter, received } = this.#parts;
    const query = this.#cursor === null ? '' : `?after=${this.#cursor}`;
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/apps/${app}/stream${query}`, {
      headers: { authorization: `Bearer ${apiKey}` },
      perMessageDeflate: false,
    });
    this.#socket = socket;
    meter.request();
    const grant = (events: number) => socket.send(JSON.stringify({ type: 'grant', events }));
    let taken = 0;
    socket.on('upgrade', (response) => meter.watch(response.socket));
    socket.on('message', (data) => {
      if (this.#socket !== socket) return;
      const message = JSON.parse(String(data)) as Message;
      if (message.type === 'cursor') this.#cursor = message.cursor;
      if (message.type !== 'event') return;
      this.#cursor = message.event.cursor;
      received(message.event.id);
      if (++taken % NEXT_GRANT === 0) grant(NEXT_GRANT);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#socket === socket) this.#timer = setTimeout(() => void this.resume(), RECONNECT_MS);
    });
    return new Promise((resolve) => {
      socket.once('close', () => resolve());
      socket.once('open', () => {
        grant(FIRST_GRANT);
        resolve();
      });
    });
  }

  async interrupt(): Promise<void> {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.terminate();
  }
}
