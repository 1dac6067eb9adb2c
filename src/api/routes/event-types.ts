import { z } from 'zod';
import { TidingsError } from '../../core/errors.ts';
import { EVENT_TYPE_PATTERN } from '../../core/event.ts';
import { equalJson } from '../../core/schema/canonical-json.ts';
import { deleteEventType } from '../../storage/event-type-changes.ts';
import { type EventType, findEventType, listEventTypes } from '../../storage/event-types.ts';
import { access } from '../access.ts';
import { type CatalogueChange, changeCatalogue } from '../change-catalogue.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import {
  CHANGE_QUERY,
  ChangedEventTypeSchema,
  EventTypeChange,
  EventTypeInput,
  EventTypeSchema,
  EventTypeSummarySchema,
  readDefinition,
  renderEventType,
  renderSummary,
  TypeParam,
} from '../event-type-json.ts';
import { cutPage, decodePage, PAGE_QUERY, pageOf } from '../page.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';

const PageKey = z.tuple([z.iso.datetime(), z.string().regex(EVENT_TYPE_PATTERN)]);
const ChangeQuery = z.strictObject(CHANGE_QUERY);

export function eventTypeRoutes(server: ApiServer, context: ApiContext): void {
  const { db, engine, catalogue } = context;
  const tags = ['Event types'];
  const mayChange = access(context, { permission: 'manage', instanceOnly: true });

  server.put(
    '/v1/event-types/:type',
    {
      ...mayChange,
      schema: {
        tags,
        operationId: 'putEventType',
        summary: 'Create or replace an event type',
        description:
          'Any type may be published, in the catalogue or not. A schema that differs from the one before is a new version; `breakingChanges` tells whom it may break. Needs a key for the whole instance.',
        params: TypeParam,
        querystring: ChangeQuery,
        body: EventTypeInput,
        response: { 200: ChangedEventTypeSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const definition = readDefinition(request.params.type, request.body);
      return change(definition, request.query);
    },
  );

  server.patch(
    '/v1/event-types/:type',
    {
      ...mayChange,
      schema: {
        tags,
        operationId: 'changeEventType',
        summary: 'Change an event type',
        description: 'What is left out stays as it is. Needs a key for the whole instance.',
        params: TypeParam,
        querystring: ChangeQuery,
        body: EventTypeChange,
        response: { 200: ChangedEventTypeSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { description, schema, examples, validation, deprecated, archived } = await known(request.params.type);
      const before = {
        description,
        schema: schema as z.infer<typeof EventTypeInput>['schema'],
        examples: [...examples],
      };
      const after = { ...before, validation, deprecated, archived, ...request.body };
      return change(readDefinition(request.params.type, after), request.query);
    },
  );

  async function change(definition: ReturnType<typeof readDefinition>, query: z.infer<typeof ChangeQuery>) {
    const [done] = await changeCatalogue(context, [definition], {
      dryRun: query.dryRun === 'true',
      refuseBreaking: query.breaking === 'refuse',
    });
    return { ...renderEventType(done.after ?? planned(done, context.now())), breakingChanges: done.breakingChanges };
  }

  async function known(type: string): Promise<EventType> {
    const found = await findEventType(db, type);
    if (found === null) throw noEventType(type);
    return found;
  }

  server.get(
    '/v1/event-types',
    {
      ...access(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'listEventTypes',
        summary: 'List event types',
        description: 'Newest first, without schemas and examples.',
        querystring: z.strictObject(PAGE_QUERY),
        response: { 200: pageOf(EventTypeSummarySchema), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { limit, page } = request.query;
      const key = decodePage(page, PageKey);
      const before = key === null ? null : { createdAt: new Date(key[0]), type: key[1] };
      const types = await listEventTypes(db, { limit: limit + 1, before });
      return cutPage(types.map(renderSummary), limit, ({ createdAt, type }) => [createdAt, type]);
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
    async (request) => renderEventType(await known(request.params.type)),
  );

  server.delete(
    '/v1/event-types/:type',
    {
      ...mayChange,
      schema: {
        tags,
        operationId: 'deleteEventType',
        summary: 'Delete an event type',
        description:
          'With the versions of its schema. Events of that type stay as they are. Needs a key for the whole instance.',
        params: TypeParam,
        response: { 204: z.null().describe('Deleted.'), ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      if (!(await deleteEventType(db, request.params.type))) throw noEventType(request.params.type);
      engine.catalogueChanged();
      await catalogue.changedHere();
      return reply.code(204).send(null);
    },
  );
}

/** What would be stored. */
function planned({ definition, before }: CatalogueChange, nowMs: number): EventType {
  const now = new Date(nowMs);
  const isNew = before === null || !equalJson(before.schema, definition.schema);
  const version = definition.schema === null ? null : isNew ? (before?.version ?? 0) + 1 : before.version;
  return { ...definition, version, createdAt: before?.createdAt ?? now, updatedAt: now, changedVersion: 0 };
}

export function noEventType(type: string): TidingsError {
  return new TidingsError('not_found', `There is no event type ${type} in the catalogue.`);
}
