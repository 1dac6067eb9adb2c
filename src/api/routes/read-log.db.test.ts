import { type CloudEvent, HTTP } from 'cloudevents';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type TestApp, testApp } from '../../../test/app.ts';
import { decodeCursor } from '../../core/cursor.ts';
import { uuidFromId } from '../../core/id.ts';

describe('reading the log', () => {
  let app: TestApp;
  let appId: string;
  const data = '{"big":12345678901234567890,\n\r "text":"a\\nb\\u2028é", "deep":[ [ ] ]}';
  let published: { id: string; cursor: string; position: number }[];

  beforeAll(async () => {
    app = await testApp();
    appId = await app.anApp();
    published = [];
    for (let n = 1; n <= 5; n++) await publish(n === 1 ? data : String(n), n % 2 === 0 ? ['even'] : []);
  });
  afterAll(() => app.close());

  async function publish(json: string, channels: string[] = []): Promise<void> {
    const event = `{"type":"invoice.paid","time":"2026-11-21T10:00:00Z","channels":${JSON.stringify(channels)},"data":${json}}`;
    published.push((await app.call(`POST /v1/apps/${appId}/events`, { body: event })).body);
  }

  const read = (query = '', headers: Record<string, string> = {}): Promise<Answer> =>
    app.call(`GET /v1/apps/${appId}/events${query}`, { headers });

  /** Counts what the database is asked. */
  async function statements(work: () => Promise<unknown>): Promise<string[]> {
    const names: string[] = [];
    const { query } = app.db;
    app.db.query = (statement, values) => {
      names.push(statement.name);
      return query.call(app.db, statement, values) as never;
    };
    try {
      await work();
    } finally {
      app.db.query = query;
    }
    return names;
  }

  describe('pages', () => {
    test('that are full are kept; one at the end is asked for again', async () => {
      const full = await read(`?limit=2&after=${published[0].cursor}`);
      expect(full.body).toMatchObject({ done: false, cursor: published[2].cursor, pollAfterSeconds: 0 });
      expect(full.headers).toMatchObject({
        'cache-control': 'private, max-age=3600, immutable',
        vary: 'authorization, accept',
        'tidings-cursor': published[2].cursor,
        'tidings-done': 'false',
        'content-length': String(Buffer.byteLength(full.text)),
      });
      expect(full.headers).not.toHaveProperty('retry-after');
      const last = await read(`?limit=2&after=${published[2].cursor}`);
      expect(last.body).toMatchObject({ done: true, cursor: published[4].cursor });
      expect(last.body.pollAfterSeconds).toBeGreaterThan(0);
      expect(last.headers).toMatchObject({
        'cache-control': 'private, no-cache',
        'retry-after': String(last.body.pollAfterSeconds),
        'tidings-done': 'true',
      });
      // Where the log begins, and what is now, is another thing tomorrow.
      expect((await read('?limit=2')).headers['cache-control']).toBe('private, no-cache');
    });

    test('end before they are too large, and hold at least one event', async () => {
      const large = await app.anApp();
      const event = (size: number) => ({ type: 'a.b', data: 'x'.repeat(size) });
      await app.call(`POST /v1/apps/${large}/events/batch`, { body: { events: [3000, 400, 400, 400].map(event) } });
      const positions: number[][] = [];
      for (let after = '', done = false; !done; ) {
        const { body } = await app.call(`GET /v1/apps/${large}/events?maxBytes=1300${after}`);
        positions.push(body.events.map(({ position }: { position: number }) => position));
        after = `&after=${body.cursor}`;
        done = body.done;
      }
      expect(positions).toEqual([[1], [2, 3], [4]]);
    });

    test('of a filter hold what matches, byte for byte as without one', async () => {
      const all = (await read('')).text;
      const some = await read('?channels=even&types=invoice.*,x');
      expect(some.body.events.map(({ position }: { position: number }) => position)).toEqual([2, 4]);
      expect(some.body).toMatchObject({ done: true, cursor: published[4].cursor });
      const [, second] = /,(\{"id":[^{]*"position":4[^}]*\})/.exec(all)!;
      expect(some.text).toContain(second);
    });

    test('of a HEAD request have no body', async () => {
      const { status, text, headers } = await app.call(`HEAD /v1/apps/${appId}/events`);
      expect([status, text]).toEqual([200, '']);
      expect(Number(headers['content-length'])).toBeGreaterThan(100);
    });
  });

  describe('an ETag', () => {
    test('of a full page holds for good, and nobody is asked', async () => {
      const query = `?limit=2&after=${published[0].cursor}`;
      const { headers } = await read(query);
      const etag = String(headers.etag);
      await read(query); // app and key are known now
      const asked = await statements(async () => {
        const again = await read(query, { 'if-none-match': etag });
        expect([again.status, again.text]).toEqual([304, '']);
        expect(again.headers).toMatchObject({ etag, 'cache-control': 'private, max-age=3600, immutable' });
      });
      expect(asked).toEqual([]);
      for (const other of ['?limit=3', '?limit=2&types=invoice.paid', '?limit=2&maxBytes=5000']) {
        const changed = await read(`${other}&after=${published[0].cursor}`, { 'if-none-match': etag });
        expect(changed.status).toBe(200);
      }
      const elsewhere = await read(`?limit=2&after=${published[1].cursor}`, { 'if-none-match': etag });
      expect(elsewhere.status).toBe(200);
      const format = await read(query, { 'if-none-match': etag, accept: 'application/x-ndjson' });
      expect(format.status).toBe(200);
    });

    test('of the end holds until the log goes on, and no event is read to tell', async () => {
      for (const query of [`?after=${published.at(-1)!.cursor}`, `?after=${published[3].cursor}`, '?after=now', '']) {
        const etag = String((await read(query)).headers.etag);
        const asked = await statements(async () => {
          const again = await read(query, { 'if-none-match': `"other", ${etag}` });
          expect([again.status, again.headers['tidings-done']]).toEqual([304, undefined]);
          expect(Number(again.headers['retry-after'])).toBeGreaterThan(0);
        });
        expect(asked.filter((name) => name === 'read_events')).toEqual([]);
        await publish('6');
        const moved = await read(query, { 'if-none-match': etag });
        expect(moved.status).toBe(200);
        expect(moved.headers.etag).not.toBe(etag);
      }
    });
  });

  describe('a cursor', () => {
    test('with any byte changed gives nothing', async () => {
      const { cursor } = published[1];
      const bytes = Buffer.from(cursor, 'base64url');
      for (let i = 0; i < bytes.length; i++) {
        for (const bit of [0x01, 0x80, 0xff]) {
          const changed = Buffer.from(bytes);
          changed[i] ^= bit;
          const answer = await read(`?after=${changed.toString('base64url')}`);
          expect([answer.status, answer.body.code, answer.body.events]).toEqual([400, 'invalid_cursor', undefined]);
        }
      }
      for (let i = 0; i < cursor.length; i++) {
        const other = cursor[i] === 'A' ? 'B' : 'A';
        const answer = await read(`?after=${cursor.slice(0, i)}${other}${cursor.slice(i + 1)}`);
        expect(answer.status).toBe(400);
      }
    });

    test('of another app gives nothing', async () => {
      const other = await app.anApp();
      const answer = await app.call(`GET /v1/apps/${other}/events?after=${published[0].cursor}`);
      expect([answer.status, answer.body.code]).toEqual([400, 'invalid_cursor']);
    });

    test('past retention is told from where to read on', async () => {
      const old = await app.anApp();
      for (let n = 0; n < 4; n++) await app.call(`POST /v1/apps/${old}/events`, { body: { type: 'a.b', data: n } });
      const cursors = (await app.call(`GET /v1/apps/${old}/events`)).body.events.map(
        ({ cursor }: { cursor: string }) => cursor,
      );
      const appUuid = uuidFromId('app', old);
      const text = 'DELETE FROM events WHERE app_id = $1 AND position <= $2';
      await app.db.query({ name: 'test_drop', text }, [appUuid, 3]);
      app.engine.forget(old);
      for (const query of ['', '&types=a.b']) {
        const { status, body } = await app.call(`GET /v1/apps/${old}/events?after=${cursors[0]}${query}`);
        expect([status, body.code]).toEqual([410, 'cursor_expired']);
        expect(decodeCursor(app.instance.cursorKey, appUuid, body.oldestCursor).position).toBe(3);
        const on = await app.call(`GET /v1/apps/${old}/events?after=${body.oldestCursor}${query}`);
        expect(on.body.events.map(({ position }: { position: number }) => position)).toEqual([4]);
      }
      await app.db.query({ name: 'test_drop', text }, [appUuid, 4]);
      app.engine.forget(old);
      const none = await app.call(`GET /v1/apps/${old}/events?after=${cursors[0]}`);
      expect(none.body.detail).toContain('No events are kept');
      expect((await app.call(`GET /v1/apps/${old}/events?after=${none.body.oldestCursor}`)).body).toMatchObject({
        events: [],
        done: true,
      });
    });
  });

  describe('formats', () => {
    test('NDJSON is an event a line', async () => {
      const { text, headers } = await read('?limit=3', { accept: 'application/x-ndjson' });
      expect(headers).toMatchObject({
        'content-type': 'application/x-ndjson; charset=utf-8',
        'tidings-cursor': published[2].cursor,
        'tidings-done': 'false',
      });
      const lines = text.split('\n');
      expect(lines).toHaveLength(4);
      expect(lines.pop()).toBe('');
      const events = (await read('?limit=3')).body.events;
      expect(lines.map((line) => JSON.parse(line))).toEqual(events);
      expect(lines[0]).toContain('"big":12345678901234567890,');
      expect((await read('?after=now', { accept: 'application/x-ndjson' })).text).toBe('');
    });

    test('CloudEvents are what its SDK takes', async () => {
      const { text, headers } = await read('?limit=2', { accept: 'application/cloudevents-batch+json' });
      const batch = HTTP.toEvent({ headers: headers as Record<string, string>, body: text });
      const events = (await read('?limit=2')).body.events;
      expect(batch).toHaveLength(2);
      [batch].flat().forEach((cloudEvent, i) => {
        expect((cloudEvent as CloudEvent).validate()).toBe(true);
        expect(cloudEvent).toMatchObject({
          specversion: '1.0',
          id: events[i].id,
          source: `urn:tidings:app:${appId}`,
          type: 'invoice.paid',
          time: '2026-11-21T10:00:00.000Z',
          datacontenttype: 'application/json',
          data: events[i].data,
          cursor: events[i].cursor,
          sequence: `00000000000000${i + 1}`,
        });
      });
      expect([batch].flat()[1].channels).toBe('even');
      expect((await read('?after=now', { accept: 'application/cloudevents-batch+json' })).text).toBe('[]');
    });

    test('there are no others', async () => {
      const { status, body } = await read('', { accept: 'text/html' });
      expect([status, body.code]).toEqual([406, 'not_acceptable']);
      expect(body.detail).toContain('application/x-ndjson');
    });
  });

  describe('signatures', () => {
    test.each(['v1', 'v1a'])('%s are those that an endpoint would be sent', async (signing) => {
      const endpoint = await app.anEndpoint(appId, { uid: `hook-${signing}`, signing });
      const { secret } = (await app.call(`GET /v1/apps/${appId}/endpoints/${endpoint}/secret`)).body;
      const answer = await read(`?signatures=hook-${signing}&limit=2`);
      expect(answer.headers['cache-control']).toBe('private, no-store');
      expect(answer.headers).not.toHaveProperty('etag');
      for (const { id, webhook } of answer.body.events) {
        expect(webhook.headers['webhook-id']).toBe(id);
        const [version] = webhook.headers['webhook-signature'].split(',');
        expect(version).toBe(signing);
        if (signing === 'v1') {
          const payload = new Webhook(secret).verify(webhook.body, webhook.headers) as object;
          expect(payload).toMatchObject({ type: 'invoice.paid', timestamp: '2026-11-21T10:00:00.000Z' });
          expect(() => new Webhook(secret).verify(`${webhook.body} `, webhook.headers)).toThrow();
        }
      }
      expect(answer.body.events[0].webhook.body).toBe(
        `{"type":"invoice.paid","timestamp":"2026-11-21T10:00:00.000Z","data":${data}}`,
      );
    });

    test('are there in every format', async () => {
      const endpoint = await app.anEndpoint(appId);
      const { secret } = (await app.call(`GET /v1/apps/${appId}/endpoints/${endpoint}/secret`)).body;
      const query = `?signatures=${endpoint}&limit=2`;
      const lines = (await read(query, { accept: 'application/x-ndjson' })).text.trim().split('\n');
      for (const { webhook } of lines.map((line) => JSON.parse(line))) {
        new Webhook(secret).verify(webhook.body, webhook.headers);
      }
      const { text, headers } = await read(query, { accept: 'application/cloudevents-batch+json' });
      for (const event of [HTTP.toEvent({ headers: headers as Record<string, string>, body: text })].flat()) {
        new Webhook(secret).verify(String(event.webhookbody), {
          'webhook-id': String(event.webhookid),
          'webhook-timestamp': String(event.webhooktimestamp),
          'webhook-signature': String(event.webhooksignature),
        });
      }
    });

    test('need an endpoint of the app', async () => {
      const foreign = await app.anEndpoint(await app.anApp());
      expect((await read(`?signatures=${foreign}`)).status).toBe(404);
    });
  });
});
