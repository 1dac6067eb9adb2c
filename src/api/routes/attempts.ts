import { z } from 'zod';
import { OUTCOMES } from '../../core/outcome.ts';
import { listAppAttempts, listEndpointAttempts } from '../../storage/attempt-listing.ts';
import { appAccess } from '../access.ts';
import { AttemptSchema, renderAttempt } from '../attempt-json.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { knownEndpoint } from '../known-endpoint.ts';
import { decodePage, encodePage, idKey, PAGE_QUERY, pageOf } from '../page.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import { APP_PARAMS } from './apps.ts';
import { ENDPOINT_PARAMS } from './endpoints.ts';

const AttemptQuery = z.strictObject({ ...PAGE_QUERY, outcome: z.enum(OUTCOMES).optional() });

const AppAttemptKey = z.tuple([z.int().min(0), idKey('attempt')]);

export function attemptRoutes(server: ApiServer, context: ApiContext): void {
  const { db } = context;
  const tags = ['Attempts'];

  server.get(
    '/v1/apps/:app/endpoints/:endpoint/attempts',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'listEndpointAttempts',
        summary: "List an endpoint's attempts",
        description: 'Newest first. With an outcome asked for, a page may be short or empty and not the last.',
        params: z.object(ENDPOINT_PARAMS),
        querystring: AttemptQuery,
        response: { 200: pageOf(AttemptSchema), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const { limit, page, outcome = null } = request.query;
      const { id: endpointId } = await knownEndpoint(context, appId, request.params.endpoint);
      const attemptId = decodePage(page, idKey('attempt'));
      const before = attemptId === null ? null : { attemptId };
      const { attempts, next } = await listEndpointAttempts(db, { appId, endpointId }, { limit, before, outcome });
      return { data: attempts.map(renderAttempt), nextPage: next === null ? null : encodePage(next.attemptId) };
    },
  );

  server.get(
    '/v1/apps/:app/attempts',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'listAttempts',
        summary: "List an app's attempts",
        description:
          'Those of the newest event first, and of one event the newest. With an outcome asked for, a page may be short or empty and not the last.',
        params: z.object(APP_PARAMS),
        querystring: AttemptQuery,
        response: { 200: pageOf(AttemptSchema), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { limit, page, outcome = null } = request.query;
      const key = decodePage(page, AppAttemptKey);
      const before = key === null ? null : { position: key[0], attemptId: key[1] };
      const { attempts, next } = await listAppAttempts(db, request.appId, { limit, before, outcome });
      const nextPage = next === null ? null : encodePage([next.position, next.attemptId]);
      return { data: attempts.map(renderAttempt), nextPage };
    },
  );
}
