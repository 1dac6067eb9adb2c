// A shell in which the snippets of documents are run as they stand.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { expect } from 'vitest';

/** A bash that runs one snippet after the other, in a folder where the packages of the project are found. */
export class Shell {
  readonly #child: ChildProcess;
  #output = '';
  #wake: () => void = () => {};

  constructor(folder: string, env: Record<string, string>) {
    this.#child = spawn('bash', { cwd: folder, env: { PATH: process.env.PATH, ...env }, detached: true });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding('utf8').on('data', (part: string) => {
        this.#output += part;
        this.#wake();
      });
    }
  }

  /** Runs a snippet and returns what was printed until its end. */
  async run(code: string): Promise<string> {
    const before = this.#output.length;
    const marker = `done-${Math.random()}`;
    this.#child.stdin!.write(`${code}\necho ${marker} $?\n`);
    await this.printed(new RegExp(`${marker} \\d+\n`));
    const printed = this.#output.slice(before);
    expect(printed).toContain(`${marker} 0\n`);
    return printed.replace(/done-\S+ 0\n/, '');
  }

  /** Resolves when what was printed so far, or is to come, matches. */
  async printed(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#output)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** All that was printed. */
  get output(): string {
    return this.#output;
  }

  /** Ends bash and what it left in the background. */
  async close(): Promise<void> {
    process.kill(-this.#child.pid!, 'SIGKILL');
    await once(this.#child, 'close');
  }
}

/** Nobody listens there, as of now. */
export async function freePort(): Promise<string> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return String(port);
}

export function isListening(port: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
