// `GET …/stream`: the log as Server-Sent Events or, with an upgrade, over WebSocket.
import { z } from 'zod';
import { TidingsError } from '../../core/errors.ts';
import { uuidFromId } from '../../core/id.ts';
import { appAccess } from '../access.ts';
import { beginStream, StreamQuery, streamFilter } from '../begin-stream.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { cursorWriter } from '../event-json.ts';
import { invalidFields, PROBLEM_RESPONSES } from '../problem.ts';
import { SseSession } from '../sse-session.ts';
import { sseForm } from '../stream-form.ts';
import { takeWebSocketStreams } from '../web-socket-streams.ts';
import { APP_PARAMS } from './apps.ts';

const LEAST_RETRY_MS = 1000;
/** Readers of a server that stops come back spread over so long. */
const RETRY_SPREAD_MS = 2000;

const StreamHeaders = z.looseObject({
  'last-event-id': z.string().max(500).optional().describe('The cursor to read on after, as EventSource sends it.'),
});

const DESCRIPTION = `Server-Sent Events: \`id\` is the cursor, \`data\` the event as in a page of the log; its type is inside, so every event is a plain message. A block \`event: cursor\` tells where the reader is when no event does, one \`event: problem\` why the stream ends. A comment comes every 15 seconds. What is wrong with the request is answered before the stream begins.

With \`Upgrade: websocket\` the same over WebSocket. The server sends \`{"type":"event","event":{…}}\`, never more than the client has granted with \`{"type":"grant","events":100}\`; a client that came with \`?consumer=name\` commits with \`{"type":"ack","cursor":"…"}\` and is answered \`acked\`. Errors are close codes: 4000 and the HTTP status (4401, 4410 …), 1001 when the server goes away, 1013 to try again later. Clients that cannot set \`Authorization\` offer the subprotocols \`tidings\` and \`bearer.<key>\`.`;

export function streamRoutes(server: ApiServer, context: ApiContext): void {
  server.get(
    '/v1/apps/:app/stream',
    {
      ...appAccess(context, { permission: 'read' }),
      exposeHeadRoute: false,
      schema: {
        tags: ['Events'],
        operationId: 'streamEvents',
        summary: 'Follow the log',
        description: DESCRIPTION,
        params: z.object(APP_PARAMS),
        querystring: StreamQuery,
        headers: StreamHeaders,
        response: {
          200: { description: 'The stream.', content: { 'text/event-stream': { schema: z.string() } } },
          ...PROBLEM_RESPONSES,
        },
      },
    },
    async (request, reply) => {
      const { appId, principal, query } = request;
      const response = reply.raw;
      if (query.consumer !== undefined) {
        const message = 'Only WebSocket acknowledges. Commit by a call of its own: POST …/consumers/{consumer}/commit.';
        throw invalidFields([{ path: '/consumer', message }], 'query');
      }
      if (response.socket === null) {
        throw new TidingsError('invalid_request', 'A stream takes its whole connection: do not pipeline requests.');
      }
      const cursorOf = cursorWriter(context.instance, uuidFromId('app', appId));
      const retryMs = LEAST_RETRY_MS + Math.floor(Math.random() * RETRY_SPREAD_MS);
      const session = new SseSession({ response, appId, keyId: principal.keyId, cursorOf, retryMs });
      const { stream, release } = await beginStream(context, {
        appId,
        keyId: principal.keyId,
        after: request.headers['last-event-id'] || query.after,
        start: null,
        filter: streamFilter(query),
        form: sseForm(cursorOf),
        sink: session,
      });
      reply.hijack();
      if (response.destroyed) {
        release();
        return;
      }
      const remove = context.streams.add(session);
      session.begin(stream, () => {
        remove();
        release();
      });
      if (context.streams.isStopped) session.end(null);
    },
  );

  takeWebSocketStreams(server.server, context);
}
