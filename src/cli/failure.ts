// How a command ends: 0 done, 1 failed, 2 not called rightly. What went wrong is one sentence, without a stack.
import { CommanderError } from 'commander';
import { ConfigError } from '../app/config.ts';

/** Thrown for arguments that commander takes and the command cannot use. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  return error instanceof ConfigError || error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
}

/** The sentence to print; with `debug` the stack as well. Null where commander has already said it. */
export function describeFailure(error: unknown, debug: boolean): string | null {
  if (error instanceof CommanderError) return null;
  if (!(error instanceof Error)) return `tidings: ${String(error)}`;
  if (debug && error.stack !== undefined) return `tidings: ${error.stack}`;
  return `tidings: ${messageOf(error)}`;
}

function messageOf(error: Error): string {
  const { code, syscall, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  // In a cluster the primary binds the port.
  if (syscall === 'listen' || syscall === 'bind') {
    const why = code === 'EADDRINUSE' ? 'is in use' : `cannot be listened on (${code})`;
    return `Port ${port} of ${address} ${why}. Stop what uses it, or choose another with --port.`;
  }
  // Of a name whose addresses all refused, Node reports one error each, and no message.
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0]);
  if (syscall === 'connect' || syscall === 'getaddrinfo') {
    return `The database cannot be reached: ${error.message}. Check DATABASE_URL, and that the server runs.`;
  }
  return error.message === '' ? error.name : error.message;
}
