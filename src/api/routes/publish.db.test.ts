import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../../test/app.ts';
import { TidingsError } from '../../core/errors.ts';
import { MAX_BATCH_BYTES, MAX_EVENT_BYTES } from './publish.ts';

describe('publish API', () => {
  let app: TestApp;
  let appId: string;
  beforeAll(async () => {
    app = await testApp();
    appId = await app.anApp({ uid: 'acme' });
  });
  beforeEach(() => {
    app.engine.failure = null;
    app.engine.appended.length = 0;
  });
  afterAll(() => app.close());

  const publish = (body: unknown, headers = {}, path = `${appId}/events`) =>
    app.call(`POST /v1/apps/${path}`, { body, headers });

  test('answers 202 with id, position and a cursor to read on from', async () => {
    const first = await publish({ type: 'invoice.paid', data: { n: 1 } });
    expect(first.status).toBe(202);
    expect(first.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(first.body).toEqual({
      id: expect.stringMatching(/^evt_/),
      position: 1,
      cursor: expect.any(String),
      duplicate: false,
    });
    const second = await publish({ type: 'invoice.paid', data: 2 }, {}, 'acme/events');
    const read = await app.call(`GET /v1/apps/acme/events?after=${first.body.cursor}`);
    expect(read.body.events.map(({ id }: { id: string }) => id)).toEqual([second.body.id]);
  });

  test('answers a batch in its order', async () => {
    const events = [1, 2, 3].map((n) => ({ type: 'a.b', id: `own-${n}`, data: n }));
    const { status, body } = await publish({ events }, {}, 'acme/events/batch');
    expect(status).toBe(202);
    expect(body.events.map(({ id }: { id: string }) => id)).toEqual(['own-1', 'own-2', 'own-3']);
    const positions = body.events.map(({ position }: { position: number }) => position);
    expect(positions).toEqual([positions[0], positions[0] + 1, positions[0] + 2]);
    expect(app.engine.appended).toHaveLength(1);
  });

  test('hands the idempotency key on with the hash of the body', async () => {
    const body = '{"type":"a.b","data":1}';
    await publish(body, { 'idempotency-key': 'k' });
    await publish(body, { 'idempotency-key': 'k' });
    await publish(`${body} `, { 'idempotency-key': 'k' });
    await publish(body);
    const [first, again, other, none] = app.engine.appended.map(({ idempotency }) => idempotency);
    expect(first).toEqual({ key: 'k', bodyHash: expect.any(Buffer) });
    expect(again).toEqual(first);
    expect(other?.bodyHash.equals(first?.bodyHash as Buffer)).toBe(false);
    expect(none).toBeNull();
    expect((await publish(body, { 'idempotency-key': 'k'.repeat(256) })).body.code).toBe('invalid_request');
  });

  test.each<[string, number, unknown]>([
    ['no body', 400, ''],
    ['broken JSON', 400, '{"type":'],
    ['bytes that are not UTF-8', 400, Buffer.from([0x22, 0xff, 0x22])],
    ['no type', 400, { data: 1 }],
    ['no data', 400, { type: 'a.b' }],
    ['an unknown member', 400, { type: 'a.b', data: 1, deliverAt: '2030-01-01T00:00:00Z' }],
    ['an array', 400, []],
  ])('refuses %s', async (_, status, body) => {
    const answer = await publish(body);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(app.engine.appended).toHaveLength(0);
  });

  test('takes an event of 1 MiB and no more', async () => {
    const frame = '{"type":"a.b","data":""}';
    const ofSize = (bytes: number) => frame.replace('""', `"${'x'.repeat(bytes - frame.length)}"`);
    expect((await publish(ofSize(MAX_EVENT_BYTES))).status).toBe(202);
    const { status, body } = await publish(ofSize(MAX_EVENT_BYTES + 1));
    expect([status, body.code]).toEqual([413, 'payload_too_large']);
  });

  test('takes a batch of 16 MiB with data of 1 MiB each, and no more', async () => {
    const event = (bytes: number) => `{"type":"a.b","data":"${'x'.repeat(bytes - 2)}"}`;
    const batch = (events: string[]) => publish(`{"events":[${events.join(',')}]}`, {}, 'acme/events/batch');
    expect((await batch([event(MAX_EVENT_BYTES)])).status).toBe(202);
    const large = await batch([event(10), event(MAX_EVENT_BYTES + 1)]);
    expect([large.status, large.body.code]).toEqual([413, 'payload_too_large']);
    expect(large.body.errors[0].path).toBe('/events/1/data');
    const many = await publish(' '.repeat(MAX_BATCH_BYTES + 1), {}, 'acme/events/batch');
    expect([many.status, many.body.code]).toEqual([413, 'payload_too_large']);
  });

  test('takes up to 1,000 events in a batch, and at least one', async () => {
    const events = Array.from({ length: 1001 }, () => ({ type: 'a.b', data: null }));
    expect((await publish({ events }, {}, 'acme/events/batch')).status).toBe(400);
    expect((await publish({ events: [] }, {}, 'acme/events/batch')).status).toBe(400);
    expect((await publish({ events: events.slice(1) }, {}, 'acme/events/batch')).status).toBe(202);
  });

  test('takes JSON as it is, and nothing else', async () => {
    const other = await publish('a=1', { 'content-type': 'application/x-www-form-urlencoded' });
    expect([other.status, other.body.code]).toEqual([415, 'unsupported_media_type']);
    const packed = await publish({ type: 'a.b', data: 1 }, { 'content-encoding': 'gzip' });
    expect([packed.status, packed.body.code]).toEqual([415, 'unsupported_media_type']);
    const charset = await publish({ type: 'a.b', data: 1 }, { 'content-type': 'application/json; charset=utf-8' });
    expect(charset.status).toBe(202);
  });

  test('says when to come again', async () => {
    app.engine.failure = new TidingsError('overloaded', 'The queue is full.');
    const full = await publish({ type: 'a.b', data: 1 });
    expect([full.status, full.body.code, full.headers['retry-after']]).toEqual([503, 'overloaded', '1']);
  });

  test('tells nothing of a failure of its own', async () => {
    app.engine.failure = new Error('relation "events" does not exist');
    const failed = await publish({ type: 'a.b', data: 1 });
    expect([failed.status, failed.body.code]).toEqual([500, 'internal']);
    expect(failed.text).not.toContain('relation');
    expect(app.errors).toContain(app.engine.failure);
  });

  test('says that the database cannot be reached', async () => {
    app.engine.failure = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' });
    const { status, body, text } = await publish({ type: 'a.b', data: 1 });
    expect([status, body.code]).toEqual([503, 'unavailable']);
    expect(text).not.toContain('5432');
  });

  test('knows at once that an app was deleted or has another uid', async () => {
    const id = await app.anApp({ uid: 'short-lived' });
    expect((await publish({ type: 'a.b', data: 1 }, {}, 'short-lived/events')).status).toBe(202);
    await app.call(`PATCH /v1/apps/${id}`, { body: { uid: 'renamed' } });
    expect((await publish({ type: 'a.b', data: 1 }, {}, 'short-lived/events')).status).toBe(404);
    await app.call(`DELETE /v1/apps/${id}`);
    expect((await publish({ type: 'a.b', data: 1 }, {}, `${id}/events`)).status).toBe(404);
  });
});
