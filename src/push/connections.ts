// The connections, by origin. Each is an undici Client of its own, one request at a time, and those that wait for work lie on a stack:
// the one used last is used next, so that under a falling load the others grow cold and are closed. A Pool would not say which
// connection an attempt had, and looks for a free one among all of them.
//
// A Client whose connection was lost before the request was written connects again by itself, through the same checks.
import { Client } from 'undici';
import type { Target } from './address-guard.ts';
import type { Connector, OpenedSocket, Opening } from './connector.ts';

/** Who waits for the connection. */
export interface ConnectionUser {
  /** A socket is being opened; not called for a connection that was kept alive. */
  onConnecting(): void;
}

export interface ConnectionsOptions {
  /** An idle connection is closed after this long, or 2 s before the peer said that it would. */
  keepAliveMs: number;
  maxIdlePerOrigin: number;
  /** In all origins together; each costs a file descriptor and some 20 KB. */
  maxIdle: number;
  /** A connection that is older is not kept, so that a changed DNS record takes effect. */
  maxAgeMs: number;
}

const CONNECTIONS_DEFAULTS: ConnectionsOptions = {
  keepAliveMs: 45_000,
  maxIdlePerOrigin: 1024,
  maxIdle: 4096,
  maxAgeMs: 600_000,
};

const MAX_RESPONSE_HEAD_BYTES = 16 * 1024;

interface Origin {
  name: string;
  idle: Connection[];
  open: number;
}

export class Connection {
  readonly client: Client;
  readonly origin: Origin;
  user: ConnectionUser | null = null;
  remoteAddress: string | null = null;
  /** How the socket was opened, until the request that it was opened for takes it. */
  opened: OpenedSocket | null = null;
  openedMs = 0;
  discarded = false;
  readonly #connector: Connector;
  readonly #target: Target;
  #opening: Opening | null = null;

  constructor(parts: { target: Target; origin: Origin; connector: Connector; keepAliveMs: number }) {
    this.#target = parts.target;
    this.#connector = parts.connector;
    this.origin = parts.origin;
    this.client = new Client(parts.target.origin, {
      pipelining: 1,
      // The attempt's own deadline covers everything.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: parts.keepAliveMs,
      keepAliveMaxTimeout: parts.keepAliveMs,
      maxHeaderSize: MAX_RESPONSE_HEAD_BYTES,
      connect: (_, callback) => {
        this.#open().then(
          ({ socket }) => callback(null, socket),
          (error: Error) => callback(error, null),
        );
      },
    });
  }

  /** Closes the socket whatever it is doing. */
  destroy(): void {
    this.discarded = true;
    if (this.#opening !== null) {
      this.#opening.cancelled = true;
      this.#opening.socket?.destroy();
    }
    this.client.destroy(ignore);
  }

  async #open(): Promise<OpenedSocket> {
    const opening: Opening = { cancelled: false, socket: null };
    this.#opening = opening;
    this.user?.onConnecting();
    try {
      const opened = await this.#connector.open(this.#target, opening);
      this.opened = opened;
      this.openedMs = opened.connectedMs;
      this.remoteAddress = opened.remoteAddress;
      return opened;
    } finally {
      this.#opening = null;
    }
  }
}

export class Connections {
  readonly #connector: Connector;
  readonly #options: ConnectionsOptions;
  readonly #origins = new Map<string, Origin>();
  readonly #closing = new Set<Promise<void>>();
  #idle = 0;
  #open = 0;
  #stopped = false;

  constructor(parts: { connector: Connector; options?: Partial<ConnectionsOptions> }) {
    this.#connector = parts.connector;
    this.#options = { ...CONNECTIONS_DEFAULTS, ...parts.options };
  }

  get idle(): number {
    return this.#idle;
  }

  get open(): number {
    return this.#open;
  }

  /** The idle connection used last, or a new one, which connects with its first request. */
  acquire(target: Target, user: ConnectionUser): Connection {
    let origin = this.#origins.get(target.origin);
    if (origin === undefined) {
      origin = { name: target.origin, idle: [], open: 0 };
      this.#origins.set(target.origin, origin);
    }
    let connection = origin.idle.pop();
    if (connection === undefined) connection = this.#create(target, origin);
    else this.#idle--;
    connection.user = user;
    return connection;
  }

  /** Gives a connection back whose response was read to the end. */
  release(connection: Connection): void {
    const { origin } = connection;
    const { maxIdle, maxIdlePerOrigin, maxAgeMs } = this.#options;
    connection.user = null;
    if (
      this.#stopped ||
      this.#idle >= maxIdle ||
      origin.idle.length >= maxIdlePerOrigin ||
      performance.now() - connection.openedMs > maxAgeMs
    ) {
      this.discard(connection);
      return;
    }
    origin.idle.push(connection);
    this.#idle++;
  }

  /** Closes a connection that is in use or has failed. */
  discard(connection: Connection): void {
    if (connection.discarded) return;
    connection.user = null;
    connection.destroy();
    const closed = new Promise<void>((resolve) => connection.client.destroy(() => resolve()));
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
    this.#open--;
    const { origin } = connection;
    if (--origin.open === 0) this.#origins.delete(origin.name);
  }

  /** Closes the idle connections, and each other one when it is released. Resolves when the sockets are closed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { idle } of [...this.#origins.values()]) {
      this.#idle -= idle.length;
      for (const connection of idle.splice(0)) this.discard(connection);
    }
    await Promise.all(this.#closing);
  }

  #create(target: Target, origin: Origin): Connection {
    const { keepAliveMs } = this.#options;
    const connection = new Connection({ target, origin, connector: this.#connector, keepAliveMs });
    connection.client.on('disconnect', () => this.#onDisconnect(connection));
    origin.open++;
    this.#open++;
    return connection;
  }

  /** The peer or the keep-alive timer closed an idle connection. One in use is its user's affair. */
  #onDisconnect(connection: Connection): void {
    if (connection.user !== null || connection.discarded) return;
    const { idle } = connection.origin;
    const at = idle.indexOf(connection);
    if (at < 0) return;
    idle.splice(at, 1);
    this.#idle--;
    this.discard(connection);
  }
}

function ignore(): void {}
