// The OpenAPI 3.1 document, made from the schemas of the routes.

import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { webhookItem } from '../core/catalogue/openapi-document.ts';
import { OPERATIONAL_CATALOGUE } from '../core/catalogue/operational-catalogue.ts';

declare module 'fastify' {
  interface FastifySchema {
    /** The call takes an Idempotency-Key. */
    'x-idempotent'?: boolean;
  }
}

interface Operation {
  parameters?: unknown[];
  requestBody?: { required: boolean };
  responses: Record<string, { description: string }>;
  'x-idempotent'?: boolean;
  'x-body-optional'?: boolean;
}

interface OpenApiDocument {
  webhooks?: Record<string, unknown>;
  paths?: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, unknown> };
}

const IDEMPOTENCY_KEY = {
  in: 'header',
  name: 'Idempotency-Key',
  required: false,
  schema: { type: 'string', minLength: 1, maxLength: 255 },
  description:
    'Your own key for this request. Sent again with the same body within 24 hours (or what the server is set to) it does nothing and is answered alike; with another body it is refused.',
};

const SUCCESSES: Record<string, string> = { 200: 'Success.', 201: 'Created.', 202: 'Stored.', 204: 'Done.' };

const REF_PREFIX = '#/components/schemas/';

/** Options of @fastify/swagger. `version` is the product's. */
export function openApiOptions(version: string): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Tidings',
        version,
        description:
          'An event gateway for webhooks: one durable log per app, pushed to endpoints and read by cursor. Errors are `application/problem+json`; ids and uids of other apps are answered 404 like unknown ones.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      security: [{ apiKey: [] }],
      components: {
        securitySchemes: {
          apiKey: { type: 'http', scheme: 'bearer', description: 'An API key, `tdg_…`.' },
        },
      },
      tags: [
        { name: 'Apps', description: "Your customers' accounts." },
        { name: 'Keys', description: 'API keys.' },
        { name: 'Event types', description: 'The catalogue.' },
        { name: 'Events', description: 'Publishing to the log and reading it.' },
        { name: 'Consumers', description: 'Named readers with their cursor on the server.' },
        { name: 'Sources', description: 'Where events come in from outside.' },
        { name: 'Endpoints', description: 'Where events are sent.' },
        { name: 'Attempts', description: 'What was sent, and what came of it.' },
        { name: 'Replays', description: 'Sending again what was published before.' },
        {
          name: 'Operational events',
          description:
            'What endpoints of the app `app_tidings` are sent, and its log holds: what happens to endpoints and consumers.',
        },
        { name: 'Service', description: 'The process itself; without a key.' },
      ],
    },
    transform: (route) => {
      const transformed = jsonSchemaTransform(route);
      const isOptional = (route.schema as { body?: unknown } | undefined)?.body instanceof z.ZodOptional;
      return isOptional ? { ...transformed, schema: { ...transformed.schema, 'x-body-optional': true } } : transformed;
    },
    transformObject: (document) =>
      withWebhooks(tidySchemas(tidyOperations(jsonSchemaTransformObject(document) as OpenApiDocument))) as never,
  };
}

/** Tidings' own webhooks: what the log of the built-in app holds. Those of the catalogue are GET /v1/catalogue/openapi.json. */
function withWebhooks(document: OpenApiDocument): OpenApiDocument {
  const items = OPERATIONAL_CATALOGUE.map((type): [string, object] => {
    const { post } = webhookItem(type, type.schema) as { post: object };
    const { 'x-tidings': _, ...operation } = post as { 'x-tidings': object };
    return [type.type, { post: { ...operation, tags: ['Operational events'], security: [] } }];
  });
  return { ...document, webhooks: Object.fromEntries(items) };
}

/** Writes down what @fastify/swagger has no words for. */
function tidyOperations(document: OpenApiDocument): OpenApiDocument {
  for (const operation of Object.values(document.paths ?? {}).flatMap((methods) => Object.values(methods))) {
    if (operation['x-idempotent']) operation.parameters = [...(operation.parameters ?? []), IDEMPOTENCY_KEY];
    if (operation['x-body-optional'] && operation.requestBody) operation.requestBody.required = false;
    delete operation['x-idempotent'];
    delete operation['x-body-optional'];
    for (const [status, response] of Object.entries(operation.responses)) {
      if (response.description === 'Default Response') response.description = SUCCESSES[status] ?? 'Not ready.';
    }
  }
  return document;
}

// Each schema comes once as it is read (`NewAppInput`) and once as it is written (`NewApp`). Only what is referred to is kept,
// and under the plain name where there is no second one.
function tidySchemas(document: OpenApiDocument): OpenApiDocument {
  const schemas = document.components?.schemas ?? {};
  const used = referred(document.paths, schemas);
  const names = new Map<string, string>();
  for (const name of used) {
    const plain = name.endsWith('Input') ? name.slice(0, -'Input'.length) : name;
    names.set(name, used.has(plain) ? name : plain);
  }
  const renamed: OpenApiDocument = JSON.parse(JSON.stringify(document), (key, value) =>
    key === '$ref' && typeof value === 'string' && value.startsWith(REF_PREFIX)
      ? REF_PREFIX + (names.get(value.slice(REF_PREFIX.length)) ?? value.slice(REF_PREFIX.length))
      : value,
  );
  const kept = Object.entries(renamed.components?.schemas ?? {}).filter(([name]) => used.has(name));
  if (renamed.components) {
    renamed.components.schemas = Object.fromEntries(
      kept
        .map(([name, schema]): [string, unknown] => [names.get(name) ?? name, schema])
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  }
  return renamed;
}

/** The components that the paths refer to, directly or through others. */
function referred(paths: unknown, schemas: Record<string, unknown>): Set<string> {
  const used = new Set<string>();
  const queue: unknown[] = [paths];
  for (let value = queue.pop(); value !== undefined; value = queue.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, child] of Object.entries(value)) {
      if (key !== '$ref' || typeof child !== 'string') {
        queue.push(child);
        continue;
      }
      const name = child.slice(REF_PREFIX.length);
      if (used.has(name) || !child.startsWith(REF_PREFIX)) continue;
      used.add(name);
      queue.push(schemas[name]);
    }
  }
  return used;
}
