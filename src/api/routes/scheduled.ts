import { z } from 'zod';
import { formatTime } from '../../core/time.ts';
import { cancelScheduled, findScheduled, listScheduled, type ScheduledEvent } from '../../storage/scheduled-listing.ts';
import { appAccess } from '../access.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { decodePage, encodePage, PAGE_QUERY, pageOf } from '../page.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import { Time } from '../text.ts';
import { APP_PARAMS } from './apps.ts';

const SCHEDULED_PARAMS = { ...APP_PARAMS, event: z.string().describe("The event's id.") };

const MEMBERS = {
  id: z.string(),
  type: z.string(),
  time: Time.describe('The time it will have.'),
  deliverAt: Time.describe('When it is appended to the log.'),
  channels: z.array(z.string()),
  createdAt: Time,
};

const ScheduledItem = z
  .object(MEMBERS)
  .meta({ id: 'ScheduledEvent', description: 'An event that is not in the log yet.' });

const ScheduledWithData = z
  .object({ ...MEMBERS, data: z.unknown().describe('Any JSON value, byte for byte as published.') })
  .meta({ id: 'ScheduledEventWithData' });

const ScheduledKey = z.object({ createdUs: z.int().min(0).max(4e15), eventId: z.string().max(64) });

export function scheduledRoutes(server: ApiServer, context: ApiContext): void {
  const { db } = context;
  const tags = ['Events'];

  server.get(
    '/v1/apps/:app/scheduled',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'listScheduledEvents',
        summary: 'List scheduled events',
        description: 'Those published last first. Once its time has come an event is in the log and no longer here.',
        params: z.object(APP_PARAMS),
        querystring: z.strictObject(PAGE_QUERY),
        response: { 200: pageOf(ScheduledItem), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { limit, page } = request.query;
      const before = decodePage(page, ScheduledKey);
      const { events, next } = await listScheduled(db, request.appId, { limit, before });
      return { data: events.map(renderItem), nextPage: next === null ? null : encodePage(next) };
    },
  );

  server.get(
    '/v1/apps/:app/scheduled/:event',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'getScheduledEvent',
        summary: 'Get a scheduled event',
        params: z.object(SCHEDULED_PARAMS),
        response: { 200: ScheduledWithData, ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      const { data, ...event } = await findScheduled(db, request.appId, request.params.event);
      const head = JSON.stringify(renderItem(event));
      const body = Buffer.concat([Buffer.from(`${head.slice(0, -1)},"data":`), data, Buffer.from('}')]);
      return reply.header('content-type', 'application/json; charset=utf-8').send(body as never);
    },
  );

  server.delete(
    '/v1/apps/:app/scheduled/:event',
    {
      ...appAccess(context, { permission: 'publish' }),
      schema: {
        tags,
        operationId: 'cancelScheduledEvent',
        summary: 'Cancel a scheduled event',
        description:
          'It is never appended, and its id is free again. 404 when it has been appended already. An Idempotency-Key that it was published with is still known: publishing with it again is refused.',
        params: z.object(SCHEDULED_PARAMS),
        response: { 204: z.null().describe('Cancelled.'), ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      await cancelScheduled(db, request.appId, request.params.event);
      return reply.code(204).send(null);
    },
  );
}

function renderItem(event: ScheduledEvent) {
  return {
    id: event.id,
    type: event.type,
    time: formatTime(event.timeMs),
    deliverAt: formatTime(event.deliverAtMs),
    channels: event.channels,
    createdAt: formatTime(event.createdMs),
  };
}
