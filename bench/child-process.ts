// The generator, the receiver and the floor server run as processes of their own and are called over Node's IPC channel.
import { type ChildProcess, fork } from 'node:child_process';

type Handlers = Record<string, (argument: never) => unknown>;

/** What a process answers, as its caller sees it. */
export type Calls<H extends Handlers> = {
  [K in keyof H]: (...argument: Parameters<H[K]>) => Promise<Awaited<ReturnType<H[K]>>>;
};

interface Request {
  id: number;
  name: string;
  argument: unknown;
}

interface Response {
  id: number;
  value?: unknown;
  error?: string;
}

export interface ChildHandle<H extends Handlers> {
  calls: Calls<H>;
  pid: number;
  stop(): Promise<void>;
}

/** In the child: answers calls until the parent goes away. */
export function answerCalls(handlers: Handlers): void {
  process.on('message', async ({ id, name, argument }: Request) => {
    const response: Response = { id };
    try {
      response.value = await handlers[name](argument as never);
    } catch (error) {
      response.error = (error as Error).message;
    }
    if (process.connected) process.send!(response);
  });
  process.on('disconnect', () => process.exit());
  // A terminal's Ctrl-C reaches the whole group; the parent decides when its children end.
  process.on('SIGINT', () => {});
}

/** In the parent: starts the program `name` that lies beside `base`, by default this file. Its CPU goes into the child's own account. */
export function startChild<H extends Handlers>(name: string, base = import.meta.url): ChildHandle<H> {
  const child = fork(new URL(`./${name}.js`, base), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const pending = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let nextId = 1;
  child.on('message', ({ id, value, error }: Response) => {
    const call = pending.get(id);
    pending.delete(id);
    if (error !== undefined) call?.reject(new Error(error));
    else call?.resolve(value);
  });
  child.on('exit', (code, signal) => {
    for (const { reject } of pending.values()) reject(new Error(`The ${name} process ended (${signal ?? code}).`));
    pending.clear();
  });
  const call = (method: string, argument: unknown) =>
    new Promise((resolve, reject) => {
      if (!child.connected) {
        reject(new Error(`The ${name} process has ended.`));
        return;
      }
      const id = nextId++;
      pending.set(id, { resolve, reject });
      child.send({ id, name: method, argument } satisfies Request);
    });
  const calls = new Proxy(
    {},
    // No `then`: an async function that returns the calls would take them for a promise.
    {
      get: (_, method) => (method === 'then' ? undefined : (argument: unknown) => call(String(method), argument)),
    },
  );
  return { calls: calls as Calls<H>, pid: child.pid!, stop: () => endOf(child) };
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  if (child.connected) child.disconnect();
  await ended;
}
