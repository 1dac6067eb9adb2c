// Requests that wait for something to come: each stops waiting when its client goes away, and all of them when the server leaves.
import type { FastifyReply } from 'fastify';
import type { Leaving } from './leaving.ts';

/** Runs `work` with the signal that ends its waiting. */
export async function whileOpen<T>(
  leaving: Leaving,
  reply: FastifyReply,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const wait = new AbortController();
  const held = { release: () => wait.abort() };
  leaving.add(held);
  reply.raw.once('close', held.release);
  try {
    return await work(wait.signal);
  } finally {
    leaving.delete(held);
    reply.raw.removeListener('close', held.release);
  }
}
