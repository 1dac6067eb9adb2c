import { z } from 'zod';
import { TidingsError } from '../../core/errors.ts';
import { EVENT_TYPE_PATTERN } from '../../core/event.ts';
import {
  deleteEventType,
  type EventType,
  findEventType,
  listEventTypes,
  putEventType,
} from '../../storage/event-types.ts';
import { access } from '../access.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { cutPage, decodePage, PAGE_QUERY, pageOf } from '../page.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import { Time, text } from '../text.ts';

const MAX_TYPE_DESCRIPTION_CHARS = 4000;

const EventTypeSchema = z
  .object({ type: z.string(), description: z.string(), archived: z.boolean(), createdAt: Time, updatedAt: Time })
  .meta({ id: 'EventType' });

const EventTypeInput = z
  .strictObject({
    description: text({ max: MAX_TYPE_DESCRIPTION_CHARS }),
    archived: z.boolean().default(false).describe('No longer in use.'),
  })
  .meta({ id: 'EventTypeDefinition' });

const TypeParam = z.object({
  type: z
    .string()
    .regex(EVENT_TYPE_PATTERN, 'An event type has 1 to 128 of the characters A-Z a-z 0-9 _ . -')
    .describe('Such as `invoice.paid`.'),
});

function renderEventType(eventType: EventType): z.infer<typeof EventTypeSchema> {
  return {
    ...eventType,
    createdAt: eventType.createdAt.toISOString(),
    updatedAt: eventType.updatedAt.toISOString(),
  };
}

const PageKey = z.tuple([z.iso.datetime(), z.string().regex(EVENT_TYPE_PATTERN)]);

export function eventTypeRoutes(server: ApiServer, context: ApiContext): void {
  const { db } = context;
  const tags = ['Event types'];

  server.put(
    '/v1/event-types/:type',
    {
      ...access(context, { permission: 'manage', instanceOnly: true }),
      schema: {
        tags,
        operationId: 'putEventType',
        summary: 'Create or replace an event type',
        description: 'The catalogue documents; any type may be published. Needs a key for the whole instance.',
        params: TypeParam,
        body: EventTypeInput,
        response: { 200: EventTypeSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => renderEventType(await putEventType(db, { type: request.params.type, ...request.body })),
  );

  server.get(
    '/v1/event-types',
    {
      ...access(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'listEventTypes',
        summary: 'List event types',
        description: 'Newest first.',
        querystring: z.strictObject(PAGE_QUERY),
        response: { 200: pageOf(EventTypeSchema), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { limit, page } = request.query;
      const key = decodePage(page, PageKey);
      const before = key === null ? null : { createdAt: new Date(key[0]), type: key[1] };
      const types = await listEventTypes(db, { limit: limit + 1, before });
      return cutPage(types.map(renderEventType), limit, ({ createdAt, type }) => [createdAt, type]);
    },
  );

  server.get(
    '/v1/event-types/:type',
    {
      ...access(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'getEventType',
        summary: 'Get an event type',
        params: TypeParam,
        response: { 200: EventTypeSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const found = await findEventType(db, request.params.type);
      if (found === null) throw noEventType(request.params.type);
      return renderEventType(found);
    },
  );

  server.delete(
    '/v1/event-types/:type',
    {
      ...access(context, { permission: 'manage', instanceOnly: true }),
      schema: {
        tags,
        operationId: 'deleteEventType',
        summary: 'Delete an event type',
        description: 'Events of that type stay as they are. Needs a key for the whole instance.',
        params: TypeParam,
        response: { 204: z.null().describe('Deleted.'), ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      if (!(await deleteEventType(db, request.params.type))) throw noEventType(request.params.type);
      return reply.code(204).send(null);
    },
  );
}

function noEventType(type: string): TidingsError {
  return new TidingsError('not_found', `There is no event type ${type} in the catalogue.`);
}
