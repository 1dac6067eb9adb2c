// A program of ours in a process of its own, called over Node's IPC channel. It ends when the channel does.
import { fork } from 'node:child_process';

interface Call {
  id: number;
  name: string;
  argument: unknown;
}

export interface Child {
  call<T>(name: string, argument?: unknown): Promise<T>;
  /** Lets the program end and waits for it. */
  stop(): Promise<void>;
}

/** Calls by name. A program whose calls fail answers with the message of the error. */
export function startChild(program: URL, title: string): Child {
  const child = fork(program, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [] });
  const pending = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let nextId = 1;
  child.on('message', ({ id, value, error }: { id: number; value?: never; error?: string }) => {
    const call = pending.get(id);
    pending.delete(id);
    if (error === undefined) call?.resolve(value as never);
    else call?.reject(new Error(`The ${title} failed: ${error}`));
  });
  child.on('exit', (code, signal) => {
    for (const { reject } of pending.values())
      reject(new Error(`The ${title} ended (${signal ?? `exit code ${code}`}).`));
    pending.clear();
  });
  return {
    call: <T>(name: string, argument?: unknown) =>
      new Promise<T>((resolve, reject) => {
        if (!child.connected) {
          reject(new Error(`The ${title} has ended.`));
          return;
        }
        const id = nextId++;
        pending.set(id, { resolve: resolve as (value: never) => void, reject });
        child.send({ id, name, argument } satisfies Call);
      }),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

export interface ChildProgram {
  answer(name: string, argument: unknown): unknown;
  /** Called once the parent has let go. */
  end?(): Promise<void>;
}

/** The other side, in the program itself. Ctrl-C reaches the whole group, and the parent ends its children itself. */
export function answerCalls({ answer, end }: ChildProgram): void {
  process.on('message', async ({ id, name, argument }: Call) => {
    const reply = await Promise.resolve()
      .then(() => answer(name, argument))
      .then(
        (value) => ({ id, value }),
        (error: Error) => ({ id, error: error.message }),
      );
    if (process.connected) process.send?.(reply);
  });
  process.on('disconnect', async () => {
    await end?.().catch(() => {});
    process.exit();
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
}
