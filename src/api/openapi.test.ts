import { beforeAll, describe, expect, test } from 'vitest';
import { OPERATIONAL_TYPES } from '../push/operations.ts';
import { buildOpenApi } from './server.ts';

interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  security?: unknown[];
  parameters?: { in: string; name: string }[];
  responses: Record<string, { description: string; content?: Record<string, unknown> }>;
}
interface Document {
  openapi: string;
  info: { version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown> };
}

describe('openapi document', () => {
  let document: Document;
  beforeAll(async () => {
    document = (await buildOpenApi('1.2.3')) as Document;
  });
  const operations = () =>
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );

  test('is the same each time it is built', async () => {
    expect(JSON.stringify(await buildOpenApi('1.2.3'))).toBe(JSON.stringify(document));
    expect(document).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3' } });
  });

  test('has all calls of this version', () => {
    expect(
      operations()
        .map(({ method, path }) => `${method.toUpperCase()} ${path}`)
        .sort(),
    ).toEqual(
      [
        'POST /in/{token}',
        'POST /v1/apps/{app}/sources',
        'GET /v1/apps/{app}/sources',
        'GET /v1/apps/{app}/sources/{source}',
        'PATCH /v1/apps/{app}/sources/{source}',
        'DELETE /v1/apps/{app}/sources/{source}',
        'POST /v1/apps/{app}/sources/{source}/secret/rotate',
        'GET /v1/apps/{app}/sources/{source}/requests',
        'GET /v1/apps/{app}/sources/{source}/requests/stream',
        'GET /v1/apps/{app}/sources/{source}/runs',
        'POST /v1/apps/{app}/sources/{source}/run',
        'POST /v1/apps',
        'GET /v1/apps',
        'GET /v1/apps/{app}',
        'PATCH /v1/apps/{app}',
        'DELETE /v1/apps/{app}',
        'POST /v1/filters/test',
        'POST /v1/transforms/test',
        'PUT /v1/event-types/{type}',
        'GET /v1/event-types/{type}',
        'POST /v1/catalogue/import',
        'GET /v1/catalogue/{document}',
        'PATCH /v1/event-types/{type}',
        'DELETE /v1/event-types/{type}',
        'GET /v1/event-types/{type}/versions',
        'GET /v1/event-types/{type}/versions/{version}',
        'GET /v1/event-types/{type}/changes',
        'GET /v1/apps/{app}/scheduled',
        'GET /v1/apps/{app}/scheduled/{event}',
        'GET /v1/apps/{app}/stream',
        'DELETE /v1/apps/{app}/scheduled/{event}',
        'GET /v1/event-types',
        'POST /v1/apps/{app}/events',
        'POST /v1/apps/{app}/events/batch',
        'GET /v1/apps/{app}/events',
        'GET /v1/apps/{app}/events/{event}',
        'GET /v1/apps/{app}/events/{event}/attempts',
        'POST /v1/apps/{app}/events/{event}/resend',
        'GET /v1/apps/{app}/events/{event}/explain',
        'GET /v1/apps/{app}/consumers',
        'PUT /v1/apps/{app}/consumers/{consumer}',
        'GET /v1/apps/{app}/consumers/{consumer}',
        'DELETE /v1/apps/{app}/consumers/{consumer}',
        'POST /v1/apps/{app}/consumers/{consumer}/lease',
        'POST /v1/apps/{app}/consumers/{consumer}/commit',
        'POST /v1/apps/{app}/consumers/{consumer}/release',
        'POST /v1/apps/{app}/consumers/{consumer}/seek',
        'POST /v1/apps/{app}/endpoints',
        'GET /v1/apps/{app}/endpoints',
        'GET /v1/apps/{app}/endpoints/{endpoint}',
        'PATCH /v1/apps/{app}/endpoints/{endpoint}',
        'DELETE /v1/apps/{app}/endpoints/{endpoint}',
        'POST /v1/apps/{app}/endpoints/{endpoint}/pause',
        'POST /v1/apps/{app}/endpoints/{endpoint}/resume',
        'POST /v1/apps/{app}/endpoints/{endpoint}/test',
        'GET /v1/apps/{app}/endpoints/{endpoint}/secret',
        'POST /v1/apps/{app}/endpoints/{endpoint}/secret/rotate',
        'GET /v1/apps/{app}/endpoints/{endpoint}/events',
        'POST /v1/apps/{app}/endpoints/{endpoint}/commit',
        'GET /v1/apps/{app}/endpoints/{endpoint}/status',
        'GET /v1/apps/{app}/endpoints/{endpoint}/transforms',
        'GET /v1/apps/{app}/endpoints/{endpoint}/attempts',
        'POST /v1/apps/{app}/endpoints/{endpoint}/replays',
        'POST /v1/apps/{app}/endpoints/{endpoint}/replays/plan',
        'GET /v1/apps/{app}/endpoints/{endpoint}/replays',
        'GET /v1/apps/{app}/endpoints/{endpoint}/replays/{replay}',
        'DELETE /v1/apps/{app}/endpoints/{endpoint}/replays/{replay}',
        'GET /v1/apps/{app}/attempts',
        'GET /v1/apps/{app}/dead',
        'POST /v1/apps/{app}/dead/resend',
        'GET /v1/source-requests',
        'POST /v1/keys',
        'GET /v1/keys',
        'DELETE /v1/keys/{key}',
        'GET /healthz',
        'GET /readyz',
        'GET /metrics',
      ].sort(),
    );
  });

  test('names every operation once and tells of its errors', () => {
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { path, operation } of operations()) {
      expect(operation.summary).toMatch(/^[A-Z]/);
      expect(operation.tags).toHaveLength(1);
      const isOpen = !path.startsWith('/v1/');
      expect(operation.security).toEqual(isOpen ? [] : undefined);
      if (!isOpen) {
        expect(operation.responses['4XX'].content).toEqual({
          'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
        });
      }
      for (const response of Object.values(operation.responses)) expect(response.description).not.toBe('');
    }
  });

  test('describes the operational events as webhooks', () => {
    const { webhooks } = document as unknown as { webhooks: Record<string, { post: Operation }> };
    expect(Object.keys(webhooks)).toContain('endpoint.failing');
    const ids = [...operations(), ...Object.values(webhooks).map(({ post }) => ({ operation: post }))];
    expect(new Set(ids.map(({ operation }) => operation.operationId)).size).toBe(ids.length);
    for (const type of OPERATIONAL_TYPES) expect(webhooks).toHaveProperty([type, 'post', 'requestBody']);
  });

  test('declares the parameters of each path', () => {
    for (const { path, operation } of operations()) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, param]) => param);
      const declared = (operation.parameters ?? []).filter((param) => param.in === 'path').map((param) => param.name);
      expect(declared.sort()).toEqual(named.sort());
    }
  });

  test('has no component that is not used, and none that is missing', () => {
    const referred = new Set(
      [...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, schema]) => schema),
    );
    expect([...referred].sort()).toEqual(Object.keys(document.components.schemas).sort());
    expect(Object.keys(document.components.schemas).filter((schema) => schema.endsWith('Input'))).toEqual([]);
  });
});
