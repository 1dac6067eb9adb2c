// The outgoing half of the engine: one attempt in, one result out. It decides nothing about retries, and never throws: what can go
// wrong with a stranger's server is a result.
import type { SendResult } from '../core/outcome.ts';
import { type AddressRules, buildGuard } from '../net/address-guard.ts';
import { Connector } from '../net/connector.ts';
import { DnsResolver, type Resolver } from '../net/dns-resolver.ts';
import { Connections, type ConnectionsOptions } from './connections.ts';
import { Deadlines } from './deadlines.ts';
import { Exchange, type ExchangeParts, type SendRequest } from './exchange.ts';

export interface SenderParts extends Partial<ConnectionsOptions> {
  rules: AddressRules;
  /** A longer response body is not read to its end, and costs the connection; the outcome is the status's. */
  maxResponseBytes?: number;
  /** Time for a connection: resolving the name, TCP and TLS. An attempt's own deadline may be shorter. */
  maxConnectMs?: number;
  /** PEM certificates of authorities to trust beside the public ones. */
  ca?: readonly string[];
  /** Default: DNS, and the operating system's names where private addresses are let in. */
  resolver?: Resolver;
  /** Wall time in milliseconds. */
  now?: () => number;
}

const MAX_RESPONSE_BYTES = 64 * 1024;
const MAX_CONNECT_MS = 10_000;

export class Sender {
  readonly #connections: Connections;
  readonly #deadlines = new Deadlines();
  readonly #exchangeParts: ExchangeParts;
  #inFlight = 0;
  #running = false;
  #waiting: Exchange[] = [];

  constructor(parts: SenderParts) {
    const { rules, resolver, ca = [], now = Date.now, ...rest } = parts;
    const { maxResponseBytes = MAX_RESPONSE_BYTES, maxConnectMs = MAX_CONNECT_MS, ...options } = rest;
    const connector = new Connector({
      guard: buildGuard(rules),
      resolver: resolver ?? new DnsResolver({ useSystem: rules.allowPrivate.length > 0 }),
      ca,
    });
    this.#connections = new Connections({ connector, options });
    this.#exchangeParts = {
      connections: this.#connections,
      deadlines: this.#deadlines,
      maxResponseBytes,
      maxConnectMs,
      now,
      onSettled: (done, result) => {
        this.#inFlight--;
        report(done, result);
      },
    };
  }

  /** Requests whose `done` has not been called. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Sockets that are open or being opened, and how many of them wait for work. */
  get connections(): { open: number; idle: number } {
    return { open: this.#connections.open, idle: this.#connections.idle };
  }

  async start(): Promise<void> {
    this.#running = true;
  }

  /** Cancels what is in flight (its outcome is `internal_error`), closes every connection. Let the attempts end before, if they are to count. */
  async stop(): Promise<void> {
    this.#running = false;
    for (const entry of this.#deadlines.entries()) (entry as Exchange).cancel();
    await this.#connections.stop();
    this.#deadlines.stop();
  }

  /** Makes one request, follows no redirect. Never throws; calls `done` exactly once, after it has returned. */
  send(request: SendRequest, done: (result: SendResult) => void): void {
    this.#inFlight++;
    // Begun together in the next turn: by then a kept connection that the peer has closed, or ruined, is known as such.
    if (this.#waiting.push(new Exchange(this.#exchangeParts, request, done)) === 1) setImmediate(() => this.#begin());
  }

  #begin(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const exchange of waiting) {
      if (this.#running) exchange.begin();
      else exchange.cancel();
    }
  }
}

/** An error thrown by `done` is its owner's, and no failure of the response. */
function report(done: (result: SendResult) => void, result: SendResult): void {
  try {
    done(result);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
