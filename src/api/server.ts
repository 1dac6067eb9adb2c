// Puts the HTTP server together. It listens to nothing: whoever builds it does.
import { randomBytes as systemRandomBytes } from 'node:crypto';
import Fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { TidingsError } from '../core/errors.ts';
import { OpenStreams } from '../pull/open-streams.ts';
import { findLiveKeys } from '../storage/api-keys.ts';
import { findLiveApps } from '../storage/apps.ts';
import { AppDirectory } from './app-directory.ts';
import { Authenticator } from './authentication.ts';
import type { ApiContext, ApiServer, ServerOptions } from './context.ts';
import { MAX_BODY_BYTES, parseJsonBodies } from './json-body.ts';
import { Leaving } from './leaving.ts';
import { openApiOptions } from './openapi.ts';
import { errorHandler, PROBLEM_TYPE, pathOf, renderProblem, sendProblem } from './problem.ts';
import { referenceRoutes } from './reference.ts';
import { RouteTable } from './route-table.ts';
import { appRoutes } from './routes/apps.ts';
import { attemptRoutes } from './routes/attempts.ts';
import { catalogueRoutes } from './routes/catalogue.ts';
import { consumerLeaseRoutes } from './routes/consumer-leases.ts';
import { consumerRoutes } from './routes/consumers.ts';
import { deadRoutes } from './routes/dead.ts';
import { endpointEventRoutes } from './routes/endpoint-events.ts';
import { endpointLifecycleRoutes } from './routes/endpoint-lifecycle.ts';
import { endpointSecretRoutes } from './routes/endpoint-secret.ts';
import { endpointStatusRoutes } from './routes/endpoint-status.ts';
import { endpointRoutes } from './routes/endpoints.ts';
import { eventTypeVersionRoutes } from './routes/event-type-versions.ts';
import { eventTypeRoutes } from './routes/event-types.ts';
import { eventRoutes } from './routes/events.ts';
import { explainRoutes } from './routes/explain.ts';
import { filterRoutes } from './routes/filters.ts';
import { inboundRoutes } from './routes/inbound.ts';
import { keyRoutes } from './routes/keys.ts';
import { publishRoutes } from './routes/publish.ts';
import { readLogRoutes } from './routes/read-log.ts';
import { replayRoutes } from './routes/replays.ts';
import { scheduledRoutes } from './routes/scheduled.ts';
import { serviceRoutes } from './routes/service.ts';
import { sourceRequestRoutes } from './routes/source-requests.ts';
import { sourceRunRoutes } from './routes/source-runs.ts';
import { sourceRoutes } from './routes/sources.ts';
import { streamRoutes } from './routes/stream.ts';
import { transformRoutes } from './routes/transforms.ts';

export type { ServerOptions } from './context.ts';

/** A request that is still being sent after this long is ended. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Longer than proxies keep theirs (60 s is common), so that they and not we end an idle connection. */
const KEEP_ALIVE_MS = 75_000;
// The longest path parameters are event types and uids, percent-encoded.
const MAX_PARAM_CHARS = 512;

const API_ROUTES = [
  appRoutes,
  keyRoutes,
  eventTypeRoutes,
  eventTypeVersionRoutes,
  filterRoutes,
  eventRoutes,
  streamRoutes,
  endpointRoutes,
  endpointLifecycleRoutes,
  endpointEventRoutes,
  endpointSecretRoutes,
  endpointStatusRoutes,
  attemptRoutes,
  explainRoutes,
  replayRoutes,
  deadRoutes,
  scheduledRoutes,
  consumerRoutes,
  consumerLeaseRoutes,
  sourceRoutes,
  sourceRequestRoutes,
  sourceRunRoutes,
  transformRoutes,
];

/** Builds the server with all routes, ready for `listen` or `inject`. */
export function buildServer(options: ServerOptions): Promise<FastifyInstance> {
  return build(options);
}

/** `before` is called before the routes are added. */
async function build(
  options: ServerOptions,
  before: (server: ApiServer) => Promise<void> = async () => {},
): Promise<FastifyInstance> {
  const { db, onError, api = true, receiver = null, now = Date.now, randomBytes = systemRandomBytes } = options;
  const { publicUrl = null, streamLimits = { perApp: 5000, perKey: 5000 } } = options;
  const streams = new OpenStreams({
    limits: streamLimits,
    liveKeys: (keyIds) => findLiveKeys(db, keyIds),
    liveApps: (appIds) => findLiveApps(db, appIds),
    onError: (error) => onError(error, { method: 'GET', path: '/v1/apps/{app}/stream' }),
  });
  const context: ApiContext = {
    ...options,
    api,
    receiver,
    now,
    randomBytes,
    publicUrl,
    streamLimits,
    streams,
    authenticator: new Authenticator({ db, now }),
    directory: new AppDirectory({ db }),
    leaving: new Leaving(),
  };
  const app = Fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    // While closing, what still comes in on open connections is answered like anything else, and the connection ends.
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM_CHARS },
    frameworkErrors: (error, request, reply) => errorHandler(onError)(error, request, reply),
    clientErrorHandler(_error, socket) {
      if (socket.destroyed || !socket.writable) return;
      const body = renderProblem(new TidingsError('invalid_request', 'The request is not valid HTTP.'));
      socket.end(
        `HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: ${PROBLEM_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    },
  });
  const routes = new RouteTable();
  app.addHook('onRoute', (route) => routes.add(route.method, route.url));
  app.decorate('leaving', context.leaving);
  app.decorateRequest('principal');
  app.decorateRequest('appId', '');
  app.setErrorHandler(errorHandler(onError));
  app.setNotFoundHandler((request, reply) => {
    const allowed = routes.methodsOf(pathOf(request.url));
    if (allowed.length === 0) {
      const where = api ? '/docs lists all calls.' : 'This process answers no API calls: it runs without the role api.';
      sendProblem(reply, new TidingsError('not_found', `There is nothing at ${pathOf(request.url)}. ${where}`));
      return;
    }
    reply.header('allow', allowed.join(', '));
    sendProblem(
      reply,
      new TidingsError('method_not_allowed', `${request.method} is not possible here; ${allowed.join(', ')} is.`),
    );
  });
  const server = app.withTypeProvider<ZodTypeProvider>();
  server.setValidatorCompiler(compileValidator);
  server.setSerializerCompiler(serializerCompiler);
  await before(server);
  app.addHook('onReady', () => streams.start());
  // Before the listener closes, which waits for its connections.
  app.addHook('preClose', () => streams.stop());
  if (api) await addApi(server, context);
  if (receiver !== null) {
    await server.register(async (scope) => inboundRoutes(scope.withTypeProvider<ZodTypeProvider>(), receiver));
  }
  serviceRoutes(server, context);
  await app.ready();
  return app;
}

/** The API with its description and reference. */
async function addApi(server: ApiServer, context: ApiContext): Promise<void> {
  parseJsonBodies(server);
  await server.register(async (scope) => publishRoutes(scope.withTypeProvider<ZodTypeProvider>(), context));
  await server.register(async (scope) => readLogRoutes(scope.withTypeProvider<ZodTypeProvider>(), context));
  await server.register(async (scope) => catalogueRoutes(scope.withTypeProvider<ZodTypeProvider>(), context));
  for (const add of API_ROUTES) add(server, context);
  referenceRoutes(server);
}

// fastify shows a missing body to the schema as null: to a schema it is nothing.
const compileValidator: typeof validatorCompiler = (route) => {
  const validate = validatorCompiler(route);
  return route.httpPart === 'body' ? (data) => validate(data ?? undefined) : validate;
};

/** The OpenAPI document of this version's API. It needs no database: nothing is asked of the parts it is built with. */
export async function buildOpenApi(version: string): Promise<object> {
  const nothing = {} as never;
  const { default: swagger } = await import('@fastify/swagger');
  const parts = {
    db: nothing,
    engine: nothing,
    catalogue: nothing,
    transforms: nothing,
    box: nothing,
    instance: nothing,
    ids: nothing,
    registry: nothing,
    checkUrl: () => undefined,
    receiver: nothing,
    fetches: nothing,
    onError: () => undefined,
    version,
  };
  const app = await build(parts, async (server) => {
    await server.register(swagger, openApiOptions(version));
  });
  const document = app.swagger();
  await app.close();
  return document;
}
