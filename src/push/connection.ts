// One connection to an origin: a socket, the request that is on it, and the parser of its responses. HTTP/1.1 written by hand, because this
// is where the process spends its time: a request is one buffer and one write, and what is read lands in one buffer for all sockets.
import type net from 'node:net';
import type { Target } from '../net/address-guard.ts';
import type { Connector, OpenedSocket, Opening } from '../net/connector.ts';
import { SendFailure, socketFailure } from '../net/send-failure.ts';
import { responseFailure } from './response-failure.ts';
import { type ResponseError, type ResponseHandler, ResponseParser } from './response-parser.ts';

/** Who has the connection. */
export interface ConnectionUser extends ResponseHandler {
  /** A socket is being opened; not called for a connection that was kept alive. */
  onConnecting(): void;
  /** The request goes out on a socket that is up. */
  onWriting(): void;
  /** No response, or not the whole of it. */
  onFailure(failure: SendFailure): void;
}

export class Connection {
  readonly target: Target;
  user: ConnectionUser | null = null;
  remoteAddress: string | null = null;
  /** How the socket was opened, until the request that it was opened for takes it. */
  opened: OpenedSocket | null = null;
  openedMs = 0;
  /** In milliseconds of `performance.now()`; while it is idle. */
  idleUntilMs = 0;
  discarded = false;
  readonly #connector: Connector;
  readonly #onLost: (connection: Connection) => void;
  readonly #parser = new ResponseParser();
  #socket: net.Socket | null = null;
  #opening: Opening | null = null;

  constructor(parts: { target: Target; connector: Connector; onLost: (connection: Connection) => void }) {
    this.target = parts.target;
    this.#connector = parts.connector;
    this.#onLost = parts.onLost;
  }

  get isUp(): boolean {
    return this.#socket?.writable === true && !this.discarded;
  }

  /** Sends a request for the user, connecting first if need be. */
  request(bytes: Buffer): void {
    if (this.#socket !== null) this.#write(this.#socket, bytes);
    else void this.#open(bytes);
  }

  /** Closes the socket whatever it is doing; its user hears nothing more. */
  destroy(): void {
    this.discarded = true;
    this.user = null;
    if (this.#opening !== null) {
      this.#opening.cancelled = true;
      this.#opening.socket?.destroy();
    }
    this.#socket?.destroy();
  }

  /** Resolves when the socket is closed. */
  closed(): Promise<void> {
    const socket = this.#socket ?? this.#opening?.socket;
    if (!socket || socket.closed) return Promise.resolve();
    return new Promise((resolve) => socket.once('close', () => resolve()));
  }

  async #open(bytes: Buffer): Promise<void> {
    const opening: Opening = { cancelled: false, socket: null, onBytes: (chunk) => this.#read(chunk) };
    this.#opening = opening;
    this.user?.onConnecting();
    try {
      const opened = await this.#connector.open(this.target, opening);
      const { socket } = opened;
      this.#socket = socket;
      if (this.discarded) {
        socket.destroy();
        return;
      }
      this.opened = opened;
      this.openedMs = opened.connectedMs;
      this.remoteAddress = opened.remoteAddress;
      let failure: Error | null = null;
      socket.on('error', (error) => {
        failure = error;
      });
      socket.on('end', () => this.#lost(null));
      socket.on('close', () => this.#lost(failure));
      this.#write(socket, bytes);
    } catch (error) {
      const failure = error instanceof SendFailure ? error : new SendFailure('internal_error', String(error), error);
      this.user?.onFailure(failure);
    } finally {
      this.#opening = null;
    }
  }

  #write(socket: net.Socket, bytes: Buffer): void {
    const { user } = this;
    if (user === null) return;
    user.onWriting();
    this.#parser.expect(user);
    socket.write(bytes);
  }

  #read(chunk: Buffer): void {
    if (this.discarded) return;
    try {
      this.#parser.feed(chunk);
    } catch (error) {
      const { user } = this;
      if (user === null) this.#onLost(this);
      else user.onFailure(responseFailure(error as ResponseError, this.target.origin));
    }
  }

  /** The peer has closed, or the socket failed. */
  #lost(error: Error | null): void {
    if (this.discarded) return;
    const { user } = this;
    // A body without a length ends with the connection; `close` has then told the user.
    if (user === null || (error === null && this.#parser.expecting && this.#parser.close())) {
      this.#onLost(this);
      return;
    }
    user.onFailure(socketFailure(error, this.target.origin));
  }
}
