// Where endpoints hang: it accepts every connection, reads what comes, and never answers.
import net from 'node:net';

export interface BlackHoleStats {
  /** Taken since the start. */
  connections: number;
  /** Open now: as many requests hang. */
  open: number;
}

export class BlackHole {
  readonly #server = net.createServer({ noDelay: true }, (socket) => this.#swallow(socket));
  readonly #sockets = new Set<net.Socket>();
  #connections = 0;

  async listen(): Promise<{ port: number }> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', 1024, resolve);
    });
    return { port: (this.#server.address() as net.AddressInfo).port };
  }

  stats(): BlackHoleStats {
    return { connections: this.#connections, open: this.#sockets.size };
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  #swallow(socket: net.Socket): void {
    this.#connections++;
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    socket.resume();
  }
}
