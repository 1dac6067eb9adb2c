// `GET …/stream`: the log as Server-Sent Events or, with an upgrade, over WebSocket.
import type { IncomingMessage } from 'node:http';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { WebSocketServer } from 'ws';
import { z } from 'zod';
import { TidingsError } from '../../core/errors.ts';
import { checkFilter } from '../../core/filter.ts';
import { uuidFromId } from '../../core/id.ts';
import type { FrameForm } from '../../pull/frame-runs.ts';
import type { StreamSink } from '../../pull/log-stream.ts';
import { appAccess } from '../access.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import type { LogPlace } from '../engine.ts';
import { cursorWriter } from '../event-json.ts';
import { invalidFields, PROBLEM_RESPONSES } from '../problem.ts';
import { SseSession } from '../sse-session.ts';
import { sseForm, webSocketForm } from '../stream-form.ts';
import { takeUpgrades } from '../upgrade.ts';
import { WebSocketSession } from '../web-socket-session.ts';
import { APP_PARAMS } from './apps.ts';
import { placeOfCursor } from './events.ts';

const SUBPROTOCOL = 'tidings';
const KEY_PROTOCOL_PREFIX = 'bearer.';
const MAX_CLIENT_MESSAGE_BYTES = 4096;
const LEAST_RETRY_MS = 1000;
/** Readers of a server that stops come back spread over so long. */
const RETRY_SPREAD_MS = 2000;

const StreamQuery = z.strictObject({
  after: z
    .string()
    .max(500)
    .optional()
    .describe('A cursor; absent = from the oldest event kept, `now` = from the head. `Last-Event-ID` goes before it.'),
  types: z
    .string()
    .max(20_000)
    .optional()
    .describe('Only these types, separated by commas; `*` stands for any characters.'),
  channels: z.string().max(20_000).optional().describe('Only events with at least one of these, separated by commas.'),
});

const StreamHeaders = z.looseObject({
  'last-event-id': z.string().max(500).optional().describe('The cursor to read on after, as EventSource sends it.'),
});

const DESCRIPTION = `Server-Sent Events: \`id\` is the cursor, \`data\` the event as in a page of the log; its type is inside, so every event is a plain message. A block \`event: cursor\` tells where the reader is when no event does, one \`event: problem\` why the stream ends. A comment comes every 15 seconds. What is wrong with the request is answered before the stream begins.

With \`Upgrade: websocket\` the same over WebSocket. The server sends \`{"type":"event","event":{…}}\`, never more than the client has granted with \`{"type":"grant","events":100}\`; a client acknowledges for its consumer with \`{"type":"ack","cursor":"…"}\` and is answered \`acked\`. Errors are close codes: 4000 and the HTTP status (4401, 4410 …), 1001 when the server goes away, 1013 to try again later. Clients that cannot set \`Authorization\` offer the subprotocols \`tidings\` and \`bearer.<key>\`.`;

interface Begin {
  context: ApiContext;
  appId: string;
  keyId: string;
  query: z.infer<typeof StreamQuery>;
  lastEventId?: string | undefined;
}

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
      if (response.socket === null) {
        throw new TidingsError('invalid_request', 'A stream takes its whole connection: do not pipeline requests.');
      }
      const cursorOf = cursorWriter(context.instance, uuidFromId('app', appId));
      const retryMs = LEAST_RETRY_MS + Math.floor(Math.random() * RETRY_SPREAD_MS);
      const session = new SseSession({ response, appId, keyId: principal.keyId, cursorOf, retryMs });
      const begin = { context, appId, keyId: principal.keyId, query, lastEventId: request.headers['last-event-id'] };
      const { stream, release } = await openStream(begin, sseForm(cursorOf), session);
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

  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_CLIENT_MESSAGE_BYTES,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  takeUpgrades(server.server, (request, connection, head) => {
    const app = appOfPath(request.url ?? '');
    if (app === null) return false;
    sockets.handleUpgrade(request, connection, head, (socket) => {
      const session = new WebSocketSession({
        socket,
        connection,
        onError: (error) => context.onError(error, { method: 'GET', path: '/v1/apps/{app}/stream' }),
      });
      void beginSocket(context, session, { request, app });
    });
    return true;
  });
}

const STREAM_PATH = /^\/v1\/apps\/([^/?]+)\/stream(?:\?|$)/;

/** null: there is no stream at this path. */
function appOfPath(url: string): string | null {
  const [, app] = STREAM_PATH.exec(url) ?? [];
  try {
    return app === undefined ? null : decodeURIComponent(app);
  } catch {
    return null;
  }
}

async function beginSocket(
  context: ApiContext,
  session: WebSocketSession,
  { request, app }: { request: IncomingMessage; app: string },
): Promise<void> {
  try {
    const principal = await context.authenticator.admit(authorizationOf(request), { permission: 'read' });
    const appId = await context.directory.resolve(app, principal);
    const query = parseQuery(request.url ?? '');
    const { keyId } = principal;
    const cursorOf = cursorWriter(context.instance, uuidFromId('app', appId));
    const begin = { context, appId, keyId, query };
    const { stream, release } = await openStream(begin, webSocketForm(cursorOf), session);
    if (session.isEnded) {
      release();
      return;
    }
    const remove = context.streams.add(session);
    session.begin({ appId, keyId, stream, cursorOf, commit: null }, () => {
      remove();
      release();
    });
    if (context.streams.isStopped) session.end(null);
  } catch (error) {
    session.fail(error);
  }
}

const validateQuery = validatorCompiler({ schema: StreamQuery, method: 'GET', url: '', httpPart: 'querystring' });

function parseQuery(url: string): z.infer<typeof StreamQuery> {
  const { searchParams } = new URL(url, 'http://localhost');
  const result = validateQuery(Object.fromEntries(searchParams)) as {
    value: z.infer<typeof StreamQuery>;
    error?: object;
  };
  if (result.error) {
    throw Object.assign(new Error('The query is not valid.'), {
      validation: result.error,
      validationContext: 'querystring',
    });
  }
  return result.value;
}

/** Browsers cannot set headers of a WebSocket: a key may come as a subprotocol, which no server logs as it does a URL. */
function authorizationOf({ headers }: IncomingMessage): string | undefined {
  if (headers.authorization !== undefined) return headers.authorization;
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim());
  const key = offered.find((protocol) => protocol.startsWith(KEY_PROTOCOL_PREFIX));
  return key && `Bearer ${key.slice(KEY_PROTOCOL_PREFIX.length)}`;
}

async function openStream({ context, appId, keyId, query, lastEventId }: Begin, form: FrameForm, sink: StreamSink) {
  const types = query.types?.split(',') ?? null;
  const channels = query.channels?.split(',') ?? null;
  const errors = checkFilter({ ...(types && { types }), ...(channels && { channels }) }, '');
  if (errors.length > 0) throw invalidFields(errors, 'query');
  const after = beginningOf(context, appId, lastEventId || query.after);
  const release = context.streams.reserve({ appId, keyId });
  try {
    const stream = await context.engine.openStream({ appId, after, types, channels, form, sink });
    return { stream, release };
  } catch (error) {
    release();
    throw error;
  }
}

function beginningOf(context: ApiContext, appId: string, cursor: string | undefined): LogPlace | 'now' | null {
  if (cursor === undefined || cursor === 'now') return cursor ?? null;
  return placeOfCursor(context, uuidFromId('app', appId), cursor);
}
