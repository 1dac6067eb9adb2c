// The versions that the schema of an event type has had, and what changed between two of them.
import { z } from 'zod';
import { compareSchemas } from '../../core/catalogue/schema-changes.ts';
import { TidingsError } from '../../core/errors.ts';
import {
  type EventTypeVersion,
  findEventTypeVersion,
  listEventTypeVersions,
} from '../../storage/event-type-versions.ts';
import { findEventType } from '../../storage/event-types.ts';
import { access } from '../access.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { BREAKING_CHANGES, SchemaValue, TypeParam } from '../event-type-json.ts';
import { cutPage, decodePage, PAGE_QUERY, pageOf } from '../page.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import { Time } from '../text.ts';
import { noEventType } from './event-types.ts';

const Version = z.coerce
  .number()
  .int()
  .min(1)
  .max(2 ** 31 - 1);
const VersionParams = TypeParam.extend({ version: Version.describe('1, 2, 3 …') });

const VersionSummarySchema = z.object({ version: z.int(), createdAt: Time }).meta({ id: 'EventTypeVersionSummary' });
const VersionSchema = z
  .object({ version: z.int(), createdAt: Time, schema: SchemaValue })
  .meta({ id: 'EventTypeVersion' });
const ComparisonSchema = z
  .object({ from: z.int(), to: z.int(), breakingChanges: BREAKING_CHANGES })
  .meta({ id: 'EventTypeComparison' });

export function eventTypeVersionRoutes(server: ApiServer, context: ApiContext): void {
  const { db } = context;
  const tags = ['Event types'];

  server.get(
    '/v1/event-types/:type/versions',
    {
      ...access(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'listEventTypeVersions',
        summary: "List the versions of an event type's schema",
        description: 'Newest first. The last 100 are kept.',
        params: TypeParam,
        querystring: z.strictObject(PAGE_QUERY),
        response: { 200: pageOf(VersionSummarySchema), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { type } = request.params;
      const { limit, page } = request.query;
      if ((await findEventType(db, type)) === null) throw noEventType(type);
      const versions = await listEventTypeVersions(db, type, { limit: limit + 1, before: decodePage(page, z.int()) });
      const rendered = versions.map(({ version, createdAt }) => ({ version, createdAt: createdAt.toISOString() }));
      return cutPage(rendered, limit, ({ version }) => version);
    },
  );

  server.get(
    '/v1/event-types/:type/versions/:version',
    {
      ...access(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'getEventTypeVersion',
        summary: "Get a version of an event type's schema",
        params: VersionParams,
        response: { 200: VersionSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { version, schema, createdAt } = await find(request.params.type, request.params.version);
      return { version, createdAt: createdAt.toISOString(), schema: schema as z.infer<typeof SchemaValue> };
    },
  );

  server.get(
    '/v1/event-types/:type/changes',
    {
      ...access(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'compareEventTypeVersions',
        summary: 'Tell what changed between two versions that may break somebody',
        params: TypeParam,
        querystring: z.strictObject({
          from: Version.describe('The older version.'),
          to: Version.optional().describe('The newer version; the current one if absent.'),
        }),
        response: { 200: ComparisonSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { type } = request.params;
      const current = await findEventType(db, type);
      if (current === null) throw noEventType(type);
      const { from, to = current.version } = request.query;
      if (to === null) throw noVersion(type, 'without a schema');
      const [older, newer] = [await find(type, from), await find(type, to)];
      return { from, to, breakingChanges: compareSchemas(older.schema, newer.schema) };
    },
  );

  async function find(type: string, version: number): Promise<EventTypeVersion> {
    const found = await findEventTypeVersion(db, type, version);
    if (found === null) throw noVersion(type, `version ${version}`);
    return found;
  }
}

function noVersion(type: string, which: string): TidingsError {
  const words = which === 'without a schema' ? 'no schema now; name the version with `to`' : `no ${which} that is kept`;
  return new TidingsError('not_found', `The event type ${type} has ${words}.`);
}
