// Between a client and a server that listens on TCP or on a Unix socket: forwards, or plays a network that has gone half-open and takes
// everything without an answer.
import { connect, createServer, type NetConnectOpts, type Socket } from 'node:net';

export class TcpProxy {
  readonly #target: NetConnectOpts;
  readonly #pairs = new Set<readonly [client: Socket, server: Socket]>();
  readonly #server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  /** What is held back in either direction while it is silent: bytes, and ends of connections. */
  #silent = false;
  /** Connections made so far. */
  accepted = 0;

  constructor(target: NetConnectOpts) {
    this.#target = target;
  }

  /** Listens on a free port of 127.0.0.1. */
  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** From now on nothing passes, on connections that stand as on new ones. */
  goSilent(): void {
    this.#silent = true;
    for (const [client, server] of this.#pairs) hold(client, server);
  }

  /** New connections pass again; what was silent stays so until it is cut. */
  heal(): void {
    this.#silent = false;
  }

  /** Ends all connections. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  #accept(client: Socket): void {
    this.accepted++;
    const server = connect({ ...this.#target, allowHalfOpen: true } as NetConnectOpts);
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ]) {
      from.on('error', () => {});
      from.on('close', () => {
        // A socket that was destroyed here while the proxy is silent: the other end never learns of it.
        if (this.#silent) return;
        to.destroy();
        this.#pairs.delete(pair);
      });
      from.pipe(to);
    }
    if (this.#silent) hold(client, server);
  }
}

function hold(client: Socket, server: Socket): void {
  client.unpipe(server).pause();
  server.unpipe(client).pause();
}
