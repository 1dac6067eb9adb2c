// The connections, by origin or what else their targets share (Target.pool), one request at a time on each. Those that wait for work lie on a stack: the one used last is used next, so
// that under a falling load the others grow cold and are closed.
import type { Target } from '../net/address-guard.ts';
import type { Connector } from '../net/connector.ts';
import { Connection, type ConnectionUser } from './connection.ts';

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

/** A connection is not used any more so long before the peer closes it by its own word. */
const CLOSING_MARGIN_MS = 2000;
const SWEEP_EVERY_MS = 1000;

interface Origin {
  readonly name: string;
  readonly idle: Connection[];
  open: number;
}

export class Connections {
  readonly #connector: Connector;
  readonly #options: ConnectionsOptions;
  readonly #origins = new Map<string, Origin>();
  readonly #closing = new Set<Promise<void>>();
  #idle = 0;
  #open = 0;
  #stopped = false;
  #sweepTimer: NodeJS.Timeout | null = null;

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
    const idle = this.#origins.get(target.pool)?.idle;
    let connection = idle?.pop();
    for (; connection !== undefined; connection = idle?.pop()) {
      this.#idle--;
      if (connection.isUp && performance.now() < connection.idleUntilMs) break;
      this.discard(connection);
    }
    connection ??= this.#create(target);
    connection.user = user;
    return connection;
  }

  /** Gives a connection back whose response was read to the end; `peerKeepsMs` as the parser says. */
  release(connection: Connection, peerKeepsMs: number | null): void {
    if (connection.discarded) return;
    const origin = this.#originOf(connection);
    const { keepAliveMs, maxIdle, maxIdlePerOrigin, maxAgeMs } = this.#options;
    const nowMs = performance.now();
    const keptMs = peerKeepsMs === null ? keepAliveMs : Math.min(keepAliveMs, peerKeepsMs - CLOSING_MARGIN_MS);
    connection.user = null;
    if (
      this.#stopped ||
      keptMs <= 0 ||
      !connection.isUp ||
      this.#idle >= maxIdle ||
      origin.idle.length >= maxIdlePerOrigin ||
      nowMs - connection.openedMs > maxAgeMs
    ) {
      this.discard(connection);
      return;
    }
    connection.idleUntilMs = nowMs + keptMs;
    origin.idle.push(connection);
    this.#idle++;
    this.#sweepTimer ??= setTimeout(() => this.#sweep(), SWEEP_EVERY_MS).unref();
  }

  /** Closes a connection that is in use or has failed. */
  discard(connection: Connection): void {
    if (connection.discarded) return;
    connection.destroy();
    const closed = connection.closed().finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
    this.#open--;
    const origin = this.#originOf(connection);
    if (--origin.open === 0) this.#origins.delete(origin.name);
  }

  /** Closes the idle connections, and each other one when it is released. Resolves when the sockets are closed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#sweepTimer) clearTimeout(this.#sweepTimer);
    this.#sweepTimer = null;
    for (const { idle } of [...this.#origins.values()]) {
      this.#idle -= idle.length;
      for (const connection of idle.splice(0)) this.discard(connection);
    }
    await Promise.all(this.#closing);
  }

  #originOf(connection: Connection): Origin {
    return this.#origins.get(connection.target.pool)!;
  }

  #create(target: Target): Connection {
    const connection = new Connection({ target, connector: this.#connector, onLost: (lost) => this.#onLost(lost) });
    const origin = this.#origins.get(target.pool) ?? { name: target.pool, idle: [], open: 0 };
    this.#origins.set(target.pool, origin); // it goes with its last connection
    origin.open++;
    this.#open++;
    return connection;
  }

  /** The peer has closed a connection that nobody uses. */
  #onLost(connection: Connection): void {
    if (connection.discarded) return;
    const { idle } = this.#originOf(connection);
    const at = idle.indexOf(connection);
    if (at >= 0) {
      idle.splice(at, 1);
      this.#idle--;
    }
    this.discard(connection);
  }

  /** Closes what has been idle for too long. */
  #sweep(): void {
    const nowMs = performance.now();
    for (const { idle } of [...this.#origins.values()]) {
      for (const connection of idle.filter((one) => one.idleUntilMs <= nowMs)) this.#onLost(connection);
    }
    this.#sweepTimer = this.#idle > 0 ? setTimeout(() => this.#sweep(), SWEEP_EVERY_MS).unref() : null;
  }
}
