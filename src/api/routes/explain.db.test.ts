import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../../test/app.ts';
import { uuidFromId } from '../../core/id.ts';
import { CAUSES, OUTCOMES, REASONS } from '../../core/outcome.ts';

describe('explain API', () => {
  let app: TestApp;
  let appId: string;
  let hook: string;
  let statements = 0;

  // e1 to e3 stand before the endpoint; e4 and e5 under its first filter, e6 to e9 under its second; the cursor is at e7.
  beforeAll(async () => {
    app = await testApp();
    appId = await app.anApp({ uid: 'acme' });
    const publish = async (from: number, to: number) => {
      for (let i = from; i <= to; i++) {
        const body = { id: `e${i}`, type: i % 2 === 0 ? 'even' : 'odd', channels: ['eu'], data: i };
        await app.call('POST /v1/apps/acme/events', { body });
      }
    };
    await publish(1, 3);
    hook = await app.anEndpoint(appId, { uid: 'hook', filter: { types: ['even'] } });
    await publish(4, 5);
    await app.call('PATCH /v1/apps/acme/endpoints/hook', {
      body: { filter: { types: ['*'], channels: ['eu', 'us'] } },
    });
    await publish(6, 9);
    await sql('UPDATE lanes SET settled_through = 7 WHERE app_id = $1');
  });
  afterAll(() => app.close());

  const sql = (text: string, more: unknown[] = []) =>
    app.db.query({ name: `test_explain_${statements++}`, text }, [uuidFromId('app', appId), ...more]);
  const explain = async (event: string) => {
    const { status, body } = await app.call(`GET /v1/apps/acme/events/${event}/explain?endpoint=hook`);
    expect(status).toBe(200);
    return body;
  };
  const attempt = (position: number, outcome: (typeof OUTCOMES)[number], status: number) =>
    sql(
      `INSERT INTO attempts (app_id, endpoint_id, attempt_id, position, started_at, day, cause, attempt, outcome, reason, status,
         total_us, dead, event_id)
       SELECT $1, $2, $3, $4::bigint, now(), day, $5, 1, $6, $7, $8, 5, false, event_id FROM events WHERE app_id = $1 AND position = $4`,
      [
        uuidFromId('endpoint', hook),
        app.ids.uuid(),
        position,
        CAUSES.indexOf('live'),
        OUTCOMES.indexOf(outcome),
        REASONS.indexOf(outcome === 'delivered' ? 'delivered' : 'status_5xx'),
        status,
      ],
    );

  test('tells of the filter that was valid where the event stands', async () => {
    expect(await explain('e5')).toMatchObject({
      state: 'unmatched',
      words: expect.stringContaining('its type is odd, asked for is even'),
      filter: {
        matches: false,
        fromPosition: 4,
        types: ['even'],
        channels: null,
        why: [{ path: '/type', expected: ['even'], actual: 'odd' }],
      },
      cursorPosition: 7,
      createdPosition: 4,
    });
    expect((await explain('e7')).filter).toEqual({
      matches: true,
      fromPosition: 6,
      types: ['*'],
      channels: ['eu', 'us'],
      where: null,
      why: [],
    });
  });

  test('tells of what stands before the endpoint', async () => {
    expect(await explain('e2')).toMatchObject({ state: 'skipped', filter: { matches: true } });
    expect((await explain('e1')).state).toBe('unmatched');
  });

  test('tells of attempts, retries and deaths', async () => {
    await attempt(4, 'unreachable', 500);
    await attempt(4, 'delivered', 204);
    expect(await explain('e4')).toMatchObject({
      state: 'delivered',
      attempts: {
        made: 2,
        deliveredAt: expect.any(String),
        last: { outcome: 'delivered', reason: 'delivered', status: 204 },
      },
      retry: null,
      dead: null,
    });

    await attempt(6, 'unreachable', 503);
    const columns = 'app_id, endpoint_id, cursor_id, position, day, event_id, attempts';
    const row = `SELECT $1, $2, '00000000-0000-0000-0000-000000000000'::uuid, 6, current_date, 'e6', 1`;
    const endpoint = uuidFromId('endpoint', hook);
    await sql(
      `INSERT INTO retries (${columns}, consumed, due_at, last_reason, created_at) ${row}, 1, '2026-11-21T10:00:00Z', 'status_5xx', now()`,
      [endpoint],
    );
    expect(await explain('e6')).toMatchObject({
      state: 'retrying',
      retry: { attempts: 1, dueAt: '2026-11-21T10:00:00.000Z', reason: 'status_5xx' },
      attempts: { made: 1, deliveredAt: null, last: { status: 503 } },
    });
    await sql('DELETE FROM retries WHERE app_id = $1');
    expect((await explain('e6')).state).toBe('unknown');
    await sql(`INSERT INTO dead (${columns}, reason, died_at) ${row}, 'status_5xx', now()`, [endpoint]);
    expect(await explain('e6')).toMatchObject({ state: 'dead', dead: { attempts: 1, reason: 'status_5xx' } });
  });

  test('tells what waits, for what, and which replay will send it', async () => {
    expect(await explain('e8')).toMatchObject({
      state: 'pending',
      endpointState: 'active',
      breaker: { state: 'closed' },
    });
    const replays = 'POST /v1/apps/acme/endpoints/hook/replays';
    const { cursor } = (await app.call('GET /v1/apps/acme/events/e8')).body;
    const { body: replay } = await app.call(replays, { body: { from: 'oldest', to: cursor } });
    expect((await explain('e8')).replays).toEqual([replay]);
    expect((await explain('e9')).replays).toEqual([]);

    await app.call('POST /v1/apps/acme/endpoints/hook/pause');
    expect(await explain('e8')).toMatchObject({
      state: 'pending',
      words: expect.stringMatching(/cursor is at position 7, the event at 8\. The endpoint was paused\.$/),
      endpointState: 'paused',
    });
    await app.call('POST /v1/apps/acme/endpoints/hook/resume', { body: { from: 'head' } });
    expect(await explain('e8')).toMatchObject({ state: 'skipped', skipThrough: 9 });
  });

  test('tells what retention dropped, and what it does not know', async () => {
    const quiet = await app.anEndpoint(appId, { uid: 'quiet' });
    const ask = async (event: string) =>
      (await app.call(`GET /v1/apps/acme/events/${event}/explain?endpoint=quiet`)).body;
    await sql(
      'INSERT INTO expirations (app_id, endpoint_id, from_position, to_position, expired_at) VALUES ($1, $2, 5, 8, now())',
      [uuidFromId('endpoint', quiet)],
    );
    expect(await ask('e8')).toMatchObject({ state: 'expired', expired: { fromPosition: 5, toPosition: 8 } });
    expect((await ask('e9')).state).toBe('skipped');
    const [{ name }] = await app.db.query<{ name: string }>({
      name: 'test_oldest_partition',
      text: "SELECT min(inhrelid::regclass::text) AS name FROM pg_inherits WHERE inhparent = 'attempts'::regclass",
    });
    await sql('UPDATE events SET day = day - 1 WHERE app_id = $1 AND position = 9');
    expect((await ask('e9')).state).toBe('skipped');
    await app.db.query({ name: 'test_drop_partition', text: `DROP TABLE ${name}` });
    expect(await ask('e9')).toMatchObject({ state: 'unknown', words: expect.stringContaining('no longer kept') });
  });

  test('needs an event and an endpoint that are there', async () => {
    const ask = (path: string) => app.call(`GET /v1/apps/acme/events/${path}`);
    expect((await ask('e4/explain')).body.errors[0].path).toBe('/endpoint');
    expect((await ask('e4/explain?endpoint=none')).status).toBe(404);
    expect((await ask('none/explain?endpoint=hook')).status).toBe(404);
  });
});
