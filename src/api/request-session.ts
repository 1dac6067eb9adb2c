// A viewer of a source's requests, as Server-Sent Events: each as in the list, with its id to come back by.
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TidingsError } from '../core/errors.ts';
import type { RequestWatch } from '../inbound/request-watch.ts';
import type { OpenStream } from '../pull/open-streams.ts';
import type { SourceRequest } from '../storage/source-requests.ts';
import { renderProblem } from './problem.ts';
import { renderRequest } from './source-request-json.ts';
import { writeSseHead } from './sse-head.ts';

const RETRY_MS = 2000;
/** A viewer that has taken nothing for so many beats of 15 seconds is gone. */
const MAX_STUCK_BEATS = 4;

export class RequestSession implements OpenStream {
  readonly appId: string;
  readonly keyId: string;
  readonly #response: ServerResponse;
  readonly #socket: Socket;
  #watch: RequestWatch | null = null;
  #isEnded = false;
  #stuckBeats = 0;

  constructor(parts: { response: ServerResponse; appId: string; keyId: string }) {
    this.appId = parts.appId;
    this.keyId = parts.keyId;
    this.#response = parts.response;
    this.#socket = parts.response.socket!;
  }

  /** Sends the head of the answer and begins. `closed` is called once, when the connection is closed. */
  begin(watch: RequestWatch, closed: () => void): void {
    this.#watch = watch;
    writeSseHead(this.#response);
    this.#response.once('close', () => {
      this.#isEnded = true;
      void watch.stop();
      closed();
    });
    this.#socket.write(`retry: ${RETRY_MS}\n\n`);
    void watch.start();
  }

  get isBusy(): boolean {
    return this.#isEnded || this.#socket.writableNeedDrain;
  }

  write(requests: SourceRequest[]): void {
    const blocks = requests.map((one) => `id: ${one.id}\ndata: ${JSON.stringify(renderRequest(one))}\n\n`);
    if (!this.#isEnded) this.#socket.write(blocks.join(''));
  }

  beat(): void {
    this.#stuckBeats = this.#socket.writableNeedDrain ? this.#stuckBeats + 1 : 0;
    if (this.#stuckBeats >= MAX_STUCK_BEATS) this.destroy();
    else if (!this.isBusy) this.#socket.write(':\n\n');
  }

  end(reason: TidingsError | null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    void this.#watch?.stop();
    if (reason !== null) this.#socket.write(`event: problem\ndata: ${renderProblem(reason)}\n\n`);
    this.#response.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
