// A TCP proxy whose line can be disturbed while connections run over it. What is between two programs and goes wrong, seen from both ends:
//
//   pass       bytes go through
//   drop       nothing arrives in either direction; once the line is back everything arrives, as TCP sends again what was
//              lost; also the last words of a client that has hung up meanwhile
//   delay      every byte arrives late
//   half-open  connections, those that are made now included, are dead for good: no byte arrives, and nobody is told
//   cut        connections break and new ones are refused
import net from 'node:net';

export type Line = { kind: 'pass' | 'drop' | 'half-open' | 'cut' } | { kind: 'delay'; ms: number };

export interface TcpProxyOptions {
  /** As net.connect takes it: a port, or the path of a Unix socket. */
  upstream: () => net.NetConnectOpts;
}

export class TcpProxy {
  readonly #options: TcpProxyOptions;
  readonly #pairs = new Set<Pair>();
  #server: net.Server | null = null;
  #line: Line = { kind: 'pass' };
  #port = 0;
  /** Connections made so far. */
  accepted = 0;

  constructor(options: TcpProxyOptions) {
    this.#options = options;
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  async start(): Promise<void> {
    const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
      this.accepted++;
      const pair: Pair = new Pair(client, this.#options.upstream(), this.#line, () => this.#pairs.delete(pair));
      this.#pairs.add(pair);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', 512, resolve);
    });
    this.#server = server;
    this.#port = (server.address() as net.AddressInfo).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    const closed = server ? new Promise((resolve) => server.close(resolve)) : null;
    this.breakConnections();
    await closed;
  }

  /** Ends all connections; new ones are taken. */
  breakConnections(): void {
    for (const pair of this.#pairs) pair.destroy();
  }

  async set(line: Line): Promise<void> {
    this.#line = line;
    if (line.kind === 'cut') {
      await this.stop();
      return;
    }
    if (!this.#server) await this.start();
    for (const pair of this.#pairs) pair.set(line);
  }
}

/** One client's connection and the one made for it. */
class Pair {
  readonly #ways: Way[];
  readonly #sockets: net.Socket[];
  #dead = false;

  constructor(client: net.Socket, upstream: net.NetConnectOpts, line: Line, onClose: () => void) {
    const server = net.connect({ ...upstream, allowHalfOpen: true } as net.NetConnectOpts);
    this.#sockets = [client, server];
    this.#ways = [new Way(client, server), new Way(server, client)];
    for (const socket of this.#sockets) {
      socket.on('error', () => this.#broken());
      socket.on('close', () => {
        if (this.#sockets.every(({ closed }) => closed)) onClose();
      });
    }
    this.set(line);
  }

  set(line: Line): void {
    if (line.kind === 'half-open') this.#dead = true;
    for (const way of this.#ways) way.set(this.#dead ? { kind: 'half-open' } : line);
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** One end is gone. On a line that carries nothing the other does not hear of it. */
  #broken(): void {
    for (const way of this.#ways) way.end();
  }
}

/** The bytes of one direction. */
class Way {
  readonly #to: net.Socket;
  #line: Line = { kind: 'pass' };
  #held: (Buffer | null)[] = [];
  #ended = false;
  /** Everything before this time has arrived. */
  #lastAtMs = 0;

  constructor(from: net.Socket, to: net.Socket) {
    this.#to = to;
    from.on('data', (chunk) => this.#carry(chunk));
    from.on('end', () => this.end());
    from.on('close', () => this.end());
  }

  set(line: Line): void {
    this.#line = line;
    if (line.kind !== 'pass' && line.kind !== 'delay') return;
    for (const chunk of this.#held.splice(0)) this.#carry(chunk);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#carry(null);
  }

  /** null = the end. */
  #carry(chunk: Buffer | null): void {
    switch (this.#line.kind) {
      case 'half-open':
        return;
      case 'drop':
        this.#held.push(chunk);
        return;
      case 'delay':
        this.#arriveAt(chunk, performance.now() + this.#line.ms);
        return;
      default:
        this.#arriveAt(chunk, 0);
    }
  }

  // What was sent earlier arrives earlier, also when the line becomes quicker in between.
  #arriveAt(chunk: Buffer | null, atMs: number): void {
    this.#lastAtMs = Math.max(this.#lastAtMs, atMs);
    const waitMs = this.#lastAtMs - performance.now();
    if (waitMs <= 0) this.#arrive(chunk);
    else setTimeout(() => this.#arrive(chunk), waitMs);
  }

  #arrive(chunk: Buffer | null): void {
    if (this.#to.destroyed) return;
    if (chunk === null) this.#to.end();
    else this.#to.write(chunk);
  }
}
