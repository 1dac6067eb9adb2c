// The catalogue as a whole: taken from a document, and given as one.
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { writeAsyncApi } from '../../core/catalogue/asyncapi-document.ts';
import { type DocumentedType, type DocumentInfo, writeOpenApi } from '../../core/catalogue/openapi-document.ts';
import { declareTypes } from '../../core/catalogue/type-declarations.ts';
import { readCatalogueVersion } from '../../storage/catalogue-version.ts';
import { allEventTypes, listEventTypes } from '../../storage/event-types.ts';
import { access } from '../access.ts';
import { changeCatalogue } from '../change-catalogue.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { MAX_DOCUMENT_BYTES, readDocument } from '../document-text.ts';
import { BREAKING_CHANGES, CHANGE_QUERY } from '../event-type-json.ts';
import { DOCUMENT_FORMATS, importDocument } from '../import-document.ts';
import { refuseEncoding } from '../json-body.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import { text } from '../text.ts';
import { writeYaml } from '../yaml-text.ts';

const MAX_TYPES = 5000;
const MAX_TITLE_CHARS = 200;
const YAML_TYPES = ['application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml'];

const ImportSchema = z
  .object({
    format: z.enum(DOCUMENT_FORMATS),
    types: z.array(
      z.object({
        type: z.string(),
        action: z.enum(['created', 'changed', 'unchanged']),
        breakingChanges: BREAKING_CHANGES,
      }),
    ),
    skipped: z
      .array(z.object({ path: z.string().describe('JSON Pointer into the document.'), message: z.string() }))
      .describe('What was left out, such as examples that do not fit their schema.'),
  })
  .meta({ id: 'CatalogueImport' });

const JSON_TYPE = 'application/json; charset=utf-8';
const YAML_TYPE = 'application/yaml; charset=utf-8';
type Write = (types: readonly DocumentedType[], info: DocumentInfo) => string;

/** By the last part of the path. */
const DOCUMENTS: Record<string, { contentType: string; write: Write }> = {
  'openapi.json': {
    contentType: JSON_TYPE,
    write: (types, info) => `${JSON.stringify(writeOpenApi(types, info), null, 2)}\n`,
  },
  'openapi.yaml': { contentType: YAML_TYPE, write: (types, info) => writeYaml(writeOpenApi(types, info)) },
  'asyncapi.json': {
    contentType: JSON_TYPE,
    write: (types, info) => `${JSON.stringify(writeAsyncApi(types, info), null, 2)}\n`,
  },
  'asyncapi.yaml': { contentType: YAML_TYPE, write: (types, info) => writeYaml(writeAsyncApi(types, info)) },
  'events.d.ts': { contentType: 'text/plain; charset=utf-8', write: (types) => declareTypes(types) },
};

export async function catalogueRoutes(server: ApiServer, context: ApiContext): Promise<void> {
  const { db } = context;
  const tags = ['Event types'];

  server.removeAllContentTypeParsers();
  for (const [type, isYaml] of [['application/json', false], ...YAML_TYPES.map((one) => [one, true])] as const) {
    server.addContentTypeParser(String(type), { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
      refuseEncoding(request.headers['content-encoding']);
      return readDocument(body, { isYaml: isYaml === true });
    });
  }

  server.post(
    '/v1/catalogue/import',
    {
      ...access(context, { permission: 'manage', instanceOnly: true }),
      bodyLimit: MAX_DOCUMENT_BYTES,
      schema: {
        tags,
        operationId: 'importCatalogue',
        summary: 'Take event types from an OpenAPI or AsyncAPI document',
        description:
          'The `webhooks` of an OpenAPI 3.1 document, or the messages of an AsyncAPI document (2 or 3), as JSON or YAML (`application/yaml`), at most 4 MiB. All of it or nothing; types that the document does not have stay as they are. A body of the form `{type, timestamp, data}` describes the data, any other is the data. Needs a key for the whole instance.',
        querystring: z.strictObject(CHANGE_QUERY),
        body: z.looseObject({}).describe('The document.'),
        response: { 200: ImportSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { dryRun, breaking } = request.query;
      const known = new Map(
        (await listEventTypes(db, { limit: MAX_TYPES, before: null })).map((one) => [one.type, one]),
      );
      const { format, definitions, skipped } = await importDocument(request.body, (type) => known.get(type));
      const options = { dryRun: dryRun === 'true', refuseBreaking: breaking === 'refuse' };
      const changes = await changeCatalogue(context, definitions, options);
      const types = changes.map(({ definition, action, breakingChanges }) => {
        return { type: definition.type, action, breakingChanges };
      });
      return { format, types, skipped };
    },
  );

  server.get(
    '/v1/catalogue/:document',
    {
      ...access(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'exportCatalogue',
        summary: 'Get the catalogue as a document, or as TypeScript',
        description:
          'An OpenAPI 3.1 document with `webhooks`, an AsyncAPI 3.0 document, or declarations of the types of the data. Archived types are left out. Both documents can be imported again.',
        params: z.object({ document: z.enum(Object.keys(DOCUMENTS) as [string, ...string[]]) }),
        querystring: z.strictObject({
          title: text({ min: 1, max: MAX_TITLE_CHARS }).default('Webhooks').describe('Of the document.'),
        }),
        response: {
          200: {
            description: 'The document.',
            content: {
              'application/json': { schema: z.looseObject({}) },
              'application/yaml': { schema: z.string() },
              'text/plain': { schema: z.string() },
            },
          },
          ...PROBLEM_RESPONSES,
        },
      },
    },
    async (request, reply) => {
      const { contentType, write } = DOCUMENTS[request.params.document];
      const version = await readCatalogueVersion(db);
      const types = (await allEventTypes(db)).filter(({ archived }) => !archived);
      const written = write(types, { title: request.query.title, version: String(version) });
      return reply.header('content-type', contentType).send(Buffer.from(written) as never);
    },
  );
}
