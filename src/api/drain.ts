// How a process leaves its clients without refusing anybody. Who looks at /readyz is told at once; who speaks on an open connection gets
// `connection: close` with the answer; who waits is answered at once; and the listener stays for a moment, because what was sent before the news arrived is on its way:
// a listener that closes resets the connections it has not accepted, and an idle connection may have a request on it already.
import type { ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Leaving } from './leaving.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Who is held for long, and let go of when the server drains. */
    leaving?: Leaving;
  }
}

export interface DrainOptions {
  /** How long clients that have not heard of it are still served. */
  graceMs: number;
  /** How long open requests may take in all, the grace included; then their connections are cut. */
  drainMs: number;
}

const CLOSE_IDLE_EVERY_MS = 20;

/** Lets go of all clients and closes the server. */
export async function drainServer(app: FastifyInstance, { graceMs, drainMs }: DrainOptions): Promise<void> {
  app.server.prependListener('request', (_request, response: ServerResponse) => {
    response.shouldKeepAlive = false;
  });
  app.leaving?.leave();
  const patienceMs = Math.min(graceMs, drainMs);
  if (app.server.listening) await pause(patienceMs);
  // fastify closes the connections that are idle as it begins; one whose request ends later would be kept alive, and the close would wait
  // until the client or the keep-alive timeout ends it.
  const idle = setInterval(() => app.server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
  const late = setTimeout(() => app.server.closeAllConnections(), drainMs - patienceMs);
  try {
    await app.close();
  } finally {
    clearInterval(idle);
    clearTimeout(late);
  }
}
