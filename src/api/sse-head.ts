import type { ServerResponse } from 'node:http';

/** The head of an answer of Server-Sent Events: without length or chunks, it ends with its connection. */
export function writeSseHead(response: ServerResponse): void {
  response.removeHeader('transfer-encoding');
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    connection: 'close',
    // nginx would otherwise gather events before it passes them on.
    'x-accel-buffering': 'no',
  });
  response.flushHeaders();
}
