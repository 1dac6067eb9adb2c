// Streams over WebSocket. A handshake is always taken where there is a stream, and what is wrong is told by the close code: browsers show
// their scripts nothing of an HTTP answer.
import type { IncomingMessage, Server } from 'node:http';
import { parse } from 'node:querystring';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { type ServerOptions, WebSocketServer } from 'ws';
import type { z } from 'zod';
import { uuidFromId } from '../core/id.ts';
import { commitConsumer } from '../storage/consumer-leases.ts';
import { readConsumer } from '../storage/consumers.ts';
import { beginStream, StreamQuery, streamFilter } from './begin-stream.ts';
import type { ApiContext } from './context.ts';
import type { LogPlace } from './engine.ts';
import { cursorWriter } from './event-json.ts';
import { invalidFields } from './problem.ts';
import { consumerKey } from './routes/consumers.ts';
import { placeOfCursor } from './routes/events.ts';
import { webSocketForm } from './stream-form.ts';
import { takeUpgrades } from './upgrade.ts';
import { type AcknowledgedConsumer, WebSocketSession } from './web-socket-session.ts';

const SUBPROTOCOL = 'tidings';
const KEY_PROTOCOL_PREFIX = 'bearer.';
const MAX_CLIENT_MESSAGE_BYTES = 4096;
/** How long a client may take to answer the close. */
const CLOSE_TIMEOUT_MS = 5000;

export function takeWebSocketStreams(server: Server, context: ApiContext): void {
  // The types do not know closeTimeout yet.
  const options: ServerOptions & { closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_CLIENT_MESSAGE_BYTES,
    closeTimeout: CLOSE_TIMEOUT_MS,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  };
  const sockets = new WebSocketServer(options);
  takeUpgrades(server, (request, connection, head) => {
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
    const { keyId, appId } = await callerOf(context, request, app);
    const { after, ...query } = parseQuery(request.url ?? '');
    const { start, filter, consumer } = await readerOf(context, appId, query);
    const cursorOf = cursorWriter(context.instance, uuidFromId('app', appId));
    const form = webSocketForm(cursorOf);
    const { stream, release } = await beginStream(context, {
      appId,
      keyId,
      after,
      start,
      filter,
      form,
      sink: session,
    });
    if (session.isEnded) {
      release();
      return;
    }
    const remove = context.streams.add(session);
    session.begin({ appId, keyId, stream, cursorOf, consumer }, () => {
      remove();
      release();
    });
    if (context.streams.isStopped) session.end(null);
  } catch (error) {
    session.fail(error);
  }
}

async function callerOf(context: ApiContext, request: IncomingMessage, app: string) {
  const principal = await context.authenticator.admit(authorizationOf(request), { permission: 'read' });
  return { keyId: principal.keyId, appId: await context.directory.resolve(app, principal) };
}

/** Where a stream begins without `after`, what it takes, and what an acknowledgement does. */
async function readerOf(context: ApiContext, appId: string, query: Query) {
  const { consumer: name } = query;
  if (name === undefined) return { start: null, filter: streamFilter(query), consumer: null };
  const given = (['types', 'channels', 'where'] as const).find((member) => query[member] !== undefined);
  if (given !== undefined) {
    const message = 'A consumer has its own filter: leave this out, or change the consumer.';
    throw invalidFields([{ path: `/${given}`, message }], 'query');
  }
  const key = consumerKey(appId, name);
  const { place, filter } = await readConsumer(context.db, key);
  const consumer: AcknowledgedConsumer & { place: LogPlace } = {
    place,
    placeOf: (cursor) => placeOfCursor(context, uuidFromId('app', appId), cursor),
    commit: async (done) => {
      await commitConsumer(context.db, { ...key, place: done });
      consumer.place = done;
    },
  };
  return { start: place, filter, consumer };
}

type Query = z.infer<typeof StreamQuery>;

const validateQuery = validatorCompiler({ schema: StreamQuery, method: 'GET', url: '', httpPart: 'querystring' });

function parseQuery(url: string): Query {
  const [, text = ''] = url.split('?', 2);
  const result = validateQuery({ ...parse(text) }) as { value: Query; error?: object };
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
