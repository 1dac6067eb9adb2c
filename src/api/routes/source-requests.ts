import { z } from 'zod';
import { TidingsError } from '../../core/errors.ts';
import { parseId } from '../../core/id.ts';
import { RequestWatch } from '../../inbound/request-watch.ts';
import { listSourceRequests, NO_SOURCE_PLACE } from '../../storage/source-requests.ts';
import { access, appAccess } from '../access.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { cutPage, decodePage, idKey, PAGE_QUERY, pageOf } from '../page.ts';
import { invalidFields, PROBLEM_RESPONSES } from '../problem.ts';
import { RequestSession } from '../request-session.ts';
import { RequestSchema, renderRequest } from '../source-request-json.ts';
import { knownSource, SOURCE_PARAMS } from './sources.ts';

/** Each asks the database a few times a second. */
const MAX_VIEWERS = 100;

const StreamHeaders = z.looseObject({
  'last-event-id': z.string().max(100).optional().describe('The request to go on after, as EventSource sends it.'),
});

export function sourceRequestRoutes(server: ApiServer, context: ApiContext): void {
  server.get(
    '/v1/apps/:app/sources/:source/requests',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags: ['Sources'],
        operationId: 'listSourceRequests',
        summary: 'List the requests of a source that were kept',
        description:
          'Those that were refused, with the reason, and all of a source with `capture`; newest first. Secrets are taken out. A source has at most 1,000, and they are kept for days; of many at once only some are kept, and `repeats` counts the others.',
        params: z.object(SOURCE_PARAMS),
        querystring: z.strictObject({
          ...PAGE_QUERY,
          cause: z.string().max(64).optional().describe('Only those that were refused for this.'),
        }),
        response: { 200: pageOf(RequestSchema), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { limit, page, cause = null } = request.query;
      const before = decodePage(page, idKey('request'));
      const { id } = await knownSource(context, request.appId, request.params.source);
      const place = { appId: request.appId, sourceId: id };
      const requests = await listSourceRequests(context.db, place, { limit: limit + 1, before, cause });
      return cutPage(requests.map(renderRequest), limit, (one) => one.id);
    },
  );

  server.get(
    '/v1/source-requests',
    {
      ...access(context, { permission: 'read', instanceOnly: true }),
      schema: {
        tags: ['Sources'],
        operationId: 'listUnknownSourceRequests',
        summary: 'List the requests to addresses that are no source',
        description:
          'For those who run the server: what came to `/in/` with a token that no source has, or has any more; newest first. The first six characters of the token are told. At most 1,000 are kept, for days. Needs a key for the whole instance.',
        querystring: z.strictObject(PAGE_QUERY),
        response: { 200: pageOf(RequestSchema), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { limit, page } = request.query;
      const before = decodePage(page, idKey('request'));
      const requests = await listSourceRequests(context.db, NO_SOURCE_PLACE, { limit: limit + 1, before, cause: null });
      return cutPage(requests.map(renderRequest), limit, (one) => one.id);
    },
  );

  let viewers = 0;

  server.get(
    '/v1/apps/:app/sources/:source/requests/stream',
    {
      ...appAccess(context, { permission: 'read' }),
      exposeHeadRoute: false,
      schema: {
        tags: ['Sources'],
        operationId: 'streamSourceRequests',
        summary: 'Watch the requests of a source',
        description:
          'Server-Sent Events: those that are kept from now on, as in the list, a second after they came at the latest. Of a source with `capture` these are all.',
        params: z.object(SOURCE_PARAMS),
        headers: StreamHeaders,
        response: {
          200: { description: 'The stream.', content: { 'text/event-stream': { schema: z.string() } } },
          ...PROBLEM_RESPONSES,
        },
      },
    },
    async (request, reply) => {
      const { appId, principal } = request;
      const after = request.headers['last-event-id'] || null;
      if (after !== null && parseId('request', after) === null) {
        throw invalidFields([{ path: '/last-event-id', message: 'This is no id of a request.' }], 'header');
      }
      const { id: sourceId } = await knownSource(context, appId, request.params.source);
      const response = reply.raw;
      if (response.socket === null) {
        throw new TidingsError('invalid_request', 'A stream takes its whole connection: do not pipeline requests.');
      }
      if (viewers >= MAX_VIEWERS) {
        const detail = `${MAX_VIEWERS} viewers watch sources of this process already. List the requests instead.`;
        throw new TidingsError('too_many_requests', detail, { retryAfterSeconds: 10 });
      }
      const release = context.streams.reserve({ appId, keyId: principal.keyId });
      const session = new RequestSession({ response, appId, keyId: principal.keyId });
      const watch = new RequestWatch({
        db: context.db,
        now: context.now,
        place: { appId, sourceId },
        after,
        onRequests: (requests) => session.write(requests),
        isBusy: () => session.isBusy,
        onError: (error) => context.onError(error, { method: 'GET', path: '…/requests/stream' }),
      });
      reply.hijack();
      if (response.destroyed) {
        release();
        return;
      }
      viewers++;
      const remove = context.streams.add(session);
      session.begin(watch, () => {
        viewers--;
        remove();
        release();
      });
      if (context.streams.isStopped) session.end(null);
    },
  );
}
