import { z } from 'zod';
import type { EndpointFilter } from '../../core/endpoint.ts';
import { normaliseFilter, UID_PATTERN } from '../../core/endpoint-config.ts';
import { TidingsError } from '../../core/errors.ts';
import { checkFilter } from '../../core/filter.ts';
import {
  changeConsumer,
  createConsumer,
  deleteConsumer,
  listConsumers,
  noConsumer,
  readConsumerLag,
} from '../../storage/consumers.ts';
import { oldestKept } from '../../storage/events.ts';
import { readDue } from '../../storage/pulled-lane.ts';
import { appAccess } from '../access.ts';
import { ConsumerSchema, PutConsumerSchema, renderConsumer } from '../consumer-json.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import type { LogPlace } from '../engine.ts';
import { knownEndpoint } from '../known-endpoint.ts';
import { resolvePlace } from '../log-range.ts';
import { cutPage, decodePage, PAGE_QUERY, pageOf } from '../page.ts';
import { invalidFields, PROBLEM_RESPONSES } from '../problem.ts';
import { APP_PARAMS } from './apps.ts';

export const CONSUMER_PARAMS = { ...APP_PARAMS, consumer: z.string().describe("The consumer's name.") };

export function consumerRoutes(server: ApiServer, context: ApiContext): void {
  const { db, instance } = context;
  const tags = ['Consumers'];
  const params = z.object(CONSUMER_PARAMS);

  server.put(
    '/v1/apps/:app/consumers/:consumer',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'putConsumer',
        summary: 'Create a consumer, or change its filter',
        description:
          'A name is 1 to 128 of the characters A-Z a-z 0-9 . _ and -. A consumer that is there already keeps its cursor: to move that, seek.',
        params,
        body: PutConsumerSchema.optional(),
        response: { 200: ConsumerSchema, 201: ConsumerSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      const key = { appId: request.appId, name: request.params.consumer };
      if (!UID_PATTERN.test(key.name)) {
        const message = 'A consumer has a name of 1 to 128 of the characters A-Z a-z 0-9 . _ and -.';
        throw invalidFields([{ path: '/consumer', message }], 'path');
      }
      const { filter: given, start = 'now' } = request.body ?? {};
      const filter = acceptFilter(given ?? {});
      const isNew =
        !(await changeConsumer(db, key, filter)) &&
        (await createConsumer(db, key, { filter, start: await startOf(context, key.appId, start) }));
      // Another call may have made it meanwhile.
      if (!isNew) await changeConsumer(db, key, filter);
      return reply.code(isNew ? 201 : 200).send(renderConsumer(await readConsumerLag(db, key), instance));
    },
  );

  server.get(
    '/v1/apps/:app/consumers',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'listConsumers',
        summary: "List an app's consumers",
        description: 'By name.',
        params: z.object(APP_PARAMS),
        querystring: z.strictObject(PAGE_QUERY),
        response: { 200: pageOf(ConsumerSchema), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { limit, page } = request.query;
      const after = decodePage(page, z.string().regex(UID_PATTERN));
      const consumers = await listConsumers(db, request.appId, { limit: limit + 1, after });
      return cutPage(
        consumers.map((consumer) => renderConsumer(consumer, instance)),
        limit,
        (consumer) => consumer.name,
      );
    },
  );

  server.get(
    '/v1/apps/:app/consumers/:consumer',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'getConsumer',
        summary: 'Get a consumer with its lag',
        params,
        response: { 200: ConsumerSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) =>
      renderConsumer(await readConsumerLag(db, consumerKey(request.appId, request.params.consumer)), instance),
  );

  server.delete(
    '/v1/apps/:app/consumers/:consumer',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'deleteConsumer',
        summary: 'Delete a consumer',
        params,
        response: { 204: z.null().describe('Deleted.'), ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      await deleteConsumer(db, consumerKey(request.appId, request.params.consumer));
      return reply.code(204).send(null);
    },
  );
}

/** @throws TidingsError `not_found` for what is no consumer's name */
export function consumerKey(appId: string, name: string): { appId: string; name: string } {
  if (!UID_PATTERN.test(name)) throw noConsumer(name);
  return { appId, name };
}

function acceptFilter(filter: EndpointFilter): EndpointFilter {
  const errors = checkFilter(filter);
  if (errors.length > 0) throw invalidFields(errors);
  return normaliseFilter(filter);
}

/** @throws TidingsError `not_found`, `invalid_cursor`, `cursor_ahead`, `cursor_expired` */
async function startOf(
  context: ApiContext,
  appId: string,
  start: 'now' | 'oldest' | { cursor: string } | { endpoint: string },
): Promise<LogPlace> {
  if (typeof start === 'string') return await resolvePlace(context, appId, start, '/start');
  if ('cursor' in start) return await resolvePlace(context, appId, start.cursor, '/start/cursor');
  const { id } = await knownEndpoint(context, appId, start.endpoint);
  const due = await readDue(context.db, { appId, endpointId: id }, { maxFailed: 0 });
  if (due === null) throw new TidingsError('not_found', `There is no endpoint ${start.endpoint} in this app.`);
  const oldest = await oldestKept(context.db, appId);
  return oldest !== null && due.settled.position < oldest.position - 1
    ? { position: oldest.position - 1, day: oldest.day }
    : due.settled;
}
