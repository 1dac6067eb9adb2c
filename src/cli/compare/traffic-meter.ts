// What a consumer costs on the wire, counted at its own sockets: everything that HTTP adds is in it, TCP and IP headers are not.
import type { Socket } from 'node:net';

export interface Traffic {
  requests: number;
  /** Answers without an event. */
  emptyAnswers: number;
  bytesToConsumer: number;
  bytesFromConsumer: number;
  connectionsOpened: number;
  /** The most that were open at once. */
  openConnections: number;
}

export class TrafficMeter {
  readonly #open = new Set<Socket>();
  #requests = 0;
  #emptyAnswers = 0;
  #connectionsOpened = 0;
  #mostOpen = 0;
  #closedRead = 0;
  #closedWritten = 0;

  request(): void {
    this.#requests++;
  }

  emptyAnswer(): void {
    this.#emptyAnswers++;
  }

  /** Counts a socket from its beginning; a second time it does nothing. */
  watch(socket: Socket): void {
    if (this.#open.has(socket)) return;
    this.#open.add(socket);
    this.#connectionsOpened++;
    this.#mostOpen = Math.max(this.#mostOpen, this.#open.size);
    socket.once('close', () => {
      this.#open.delete(socket);
      this.#closedRead += socket.bytesRead;
      this.#closedWritten += socket.bytesWritten;
    });
  }

  read(): Traffic {
    const sockets = [...this.#open];
    return {
      requests: this.#requests,
      emptyAnswers: this.#emptyAnswers,
      bytesToConsumer: sockets.reduce((sum, { bytesRead }) => sum + bytesRead, this.#closedRead),
      bytesFromConsumer: sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, this.#closedWritten),
      connectionsOpened: this.#connectionsOpened,
      openConnections: this.#mostOpen,
    };
  }
}
