import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../../test/app.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const DOCUMENTS = ['openapi.json', 'openapi.yaml', 'asyncapi.json', 'asyncapi.yaml'];
const SCHEMA = {
  $defs: { money: { type: 'object', properties: { amount: { type: 'integer' } }, required: ['amount'] } },
  type: 'object',
  properties: { total: { $ref: '#/$defs/money' }, parts: { type: 'array', items: { $ref: '#/$defs/money' } } },
};

describe('catalogue API', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await testApp();
    const put = (type: string, body: object) => app.call(`PUT /v1/event-types/${type}`, { body });
    await put('invoice.paid', {
      description: 'Paid: "all" of it.\n- yes',
      schema: SCHEMA,
      examples: [{ total: { amount: 1 } }],
      validation: 'warn',
    });
    await put('invoice.sent', { description: '', deprecated: true });
    await put('old', { archived: true, schema: {} });
  });
  afterAll(() => app.close());
  const get = (document: string) => app.call(`GET /v1/catalogue/${document}`);
  const bring = (body: unknown, { query = '', type = 'application/json' } = {}) =>
    app.call(`POST /v1/catalogue/import${query}`, { body, headers: { 'content-type': type } });

  test('gives documents that others take', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tidings-documents-'));
    try {
      const files: string[] = [];
      for (const document of DOCUMENTS) {
        const { status, text, headers } = await get(document);
        expect(status).toBe(200);
        expect(headers['content-type']).toMatch(document.endsWith('json') ? 'application/json' : 'application/yaml');
        expect(text).not.toContain('"old"');
        files.push(join(folder, document));
        await writeFile(files.at(-1)!, text);
      }
      const program = join(ROOT, 'node_modules/@redocly/cli/bin/cli.js');
      const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
      const lint = promisify(execFile)(
        process.execPath,
        [program, 'lint', '--format=json', '--skip-rule=no-empty-servers', ...files],
        {
          cwd: ROOT,
          env,
        },
      );
      const { stdout } = await lint.catch((error) => error);
      const reports = [...stdout.matchAll(/"severity": *"error",\s*"message": *(".*"),/g)].map(([, message]) =>
        JSON.parse(message),
      );
      expect(stdout).toContain('"problems"');
      // It reads schemas in AsyncAPI documents by draft 7, whatever their format.
      expect(reports.filter((message) => message !== 'Property `$defs` is not expected here.')).toEqual([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('takes its own documents again, and finds nothing changed', async () => {
    for (const document of DOCUMENTS) {
      const { text } = await get(document);
      const type = document.endsWith('json') ? 'application/json' : 'application/yaml';
      const { body } = await bring(text, { type });
      expect(body).toEqual({
        format: document.split('.')[0],
        types: [
          { type: 'invoice.paid', action: 'unchanged', breakingChanges: [] },
          { type: 'invoice.sent', action: 'unchanged', breakingChanges: [] },
        ],
        skipped: [],
      });
    }
  });

  test('takes types from a document, told beforehand what they change', async () => {
    const document = (await get('openapi.json')).body;
    document.components.schemas['invoice.paid'].$defs.money.required = [];
    document.webhooks['order.placed'] = {
      post: { requestBody: { content: { 'application/json': { schema: { type: 'string' } } } } },
    };
    const planned = await bring(document, { query: '?dryRun=true' });
    expect(planned.body.types).toMatchObject([
      {
        type: 'invoice.paid',
        action: 'changed',
        breakingChanges: [{ affects: 'receivers', path: '/total/amount' }, { path: '/parts/*/amount' }],
      },
      { type: 'invoice.sent', action: 'unchanged' },
      { type: 'order.placed', action: 'created' },
    ]);
    expect((await bring(document, { query: '?breaking=refuse' })).body.code).toBe('breaking_change');
    expect((await app.call('GET /v1/event-types/order.placed')).status).toBe(404);
    expect((await bring(document)).body).toEqual(planned.body);
    expect((await app.call('GET /v1/event-types/order.placed')).body).toMatchObject({
      schema: { type: 'string' },
      version: 1,
    });
    expect((await app.call('GET /v1/event-types/invoice.paid')).body).toMatchObject({ version: 2, validation: 'warn' });
  });

  test('stores nothing of a document with a fault', async () => {
    const schema = (one: object) => ({ post: { requestBody: { content: { 'application/json': { schema: one } } } } });
    const { status, body } = await bring({
      openapi: '3.1.0',
      webhooks: { good: schema({}), bad: schema({ type: 'text' }) },
    });
    expect(status).toBe(400);
    expect(body.errors[0].path).toBe('/webhooks/bad/post/requestBody/content/application~1json/schema/type');
    expect((await app.call('GET /v1/event-types/good')).status).toBe(404);
    expect((await bring('a: [', { type: 'text/yaml' })).body.detail).toMatch(/not YAML that can be read/);
    expect((await bring('[1', {})).body.code).toBe('invalid_json');
    expect((await bring('x', { type: 'text/plain' })).status).toBe(415);
    expect((await bring('x'.repeat(4 * 1024 * 1024 + 1), {})).status).toBe(413);
    expect((await bring('"x"', {})).status).toBe(400);
  });

  test('gives TypeScript', async () => {
    const { text, headers } = await get('events.d.ts');
    expect(headers['content-type']).toMatch('text/plain');
    expect(text).toContain('export interface EventData {');
    expect(text).toContain('total?: InvoicePaidMoney;');
    expect(text).not.toContain('old');
    expect((await get('nothing.json')).status).toBe(400);
  });
});
