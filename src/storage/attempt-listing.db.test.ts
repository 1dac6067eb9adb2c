import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { idFromUuid, uuidFromId } from '../core/id.ts';
import { CAUSES, OUTCOMES, REASONS } from '../core/outcome.ts';
import { listAppAttempts, listEndpointAttempts, listEventAttempts, MAX_SCANNED_ATTEMPTS } from './attempt-listing.ts';

describe('attempt listing', () => {
  let app: StoredApp;
  let endpointId: string;

  /** Returns the attempts' ids, oldest first. */
  async function attempts(list: { position: number; outcome?: 'delivered' | 'rejected' }[]): Promise<string[]> {
    const uuids = list.map(() => app.ids.uuid());
    await app.sql(
      `INSERT INTO attempts (app_id, endpoint_id, attempt_id, position, started_at, day, cause, attempt, outcome, reason, status,
         total_us, dead, event_id, response_head, response_body)
       SELECT $1, $2, a.id, a.position, now(), current_date, $6, 2, a.outcome, $7, 404, 5, true, 'evt_' || a.position, $8, $9
       FROM unnest($3::uuid[], $4::bigint[], $5::smallint[]) AS a(id, position, outcome)`,
      [
        app.appUuid,
        uuidFromId('endpoint', endpointId),
        uuids,
        list.map(({ position }) => position),
        list.map(({ outcome }) => OUTCOMES.indexOf(outcome ?? 'delivered')),
        CAUSES.indexOf('retry'),
        REASONS.indexOf('status_4xx'),
        Buffer.from('HTTP/1.1 404 \xe9\r\n', 'latin1'),
        Buffer.from([255]),
      ],
    );
    return uuids.map((uuid) => idFromUuid('attempt', uuid));
  }
  const place = () => ({ appId: app.appId, endpointId });
  const idsOf = (page: { attempts: { id: string }[] }) => page.attempts.map(({ id }) => id);

  beforeAll(async () => {
    app = await storedApp();
  });
  beforeEach(async () => {
    await app.sql('DELETE FROM attempts');
    endpointId = await app.anEndpoint();
  });
  afterAll(() => app.close());

  test('tells what was stored', async () => {
    const [id] = await attempts([{ position: 7, outcome: 'rejected' }]);
    const page = await listEndpointAttempts(app.db, place(), { limit: 10, before: null, outcome: null });
    expect(page).toEqual({
      next: null,
      attempts: [
        {
          id,
          appId: app.appId,
          endpointId,
          eventId: 'evt_7',
          position: 7,
          cause: 'retry',
          attempt: 2,
          transformationVersion: null,
          outcome: 'rejected',
          reason: 'status_4xx',
          status: 404,
          startedAt: expect.any(Date),
          timings: { dnsUs: null, connectUs: null, tlsUs: null, firstByteUs: null, totalUs: 5 },
          dead: true,
          remoteAddress: null,
          responseHead: 'HTTP/1.1 404 é\r\n',
          responseBody: Buffer.from([255]),
          error: null,
        },
      ],
    });
  });

  test("pages through an endpoint's, newest first, and through no other's", async () => {
    await attempts([{ position: 1 }]);
    endpointId = await app.anEndpoint();
    const made = (await attempts([1, 2, 3, 4, 5].map((position) => ({ position })))).reverse();
    const first = await listEndpointAttempts(app.db, place(), { limit: 3, before: null, outcome: null });
    expect(idsOf(first)).toEqual(made.slice(0, 3));
    const second = await listEndpointAttempts(app.db, place(), { limit: 3, before: first.next, outcome: null });
    expect(idsOf(second)).toEqual(made.slice(3));
    expect(second.next).toBeNull();
  });

  test("pages through an app's by position, and within one by time", async () => {
    const [a3, b9, c3, d1] = await attempts([{ position: 3 }, { position: 9 }, { position: 3 }, { position: 1 }]);
    const first = await listAppAttempts(app.db, app.appId, { limit: 2, before: null, outcome: null });
    expect(idsOf(first)).toEqual([b9, c3]);
    const second = await listAppAttempts(app.db, app.appId, { limit: 2, before: first.next, outcome: null });
    expect(idsOf(second)).toEqual([a3, d1]);
    expect(second.next).toBeNull();
    const event = await listEventAttempts(app.db, { appId: app.appId, position: 3 }, { limit: 1, before: null });
    expect(idsOf(event)).toEqual([c3]);
    const rest = { limit: 1, before: event.next };
    expect(await listEventAttempts(app.db, { appId: app.appId, position: 3 }, rest)).toMatchObject({
      next: null,
      attempts: [{ id: a3 }],
    });
  });

  test('of one outcome looks at a bounded number of rows a page and misses none', async () => {
    const passed = Array.from({ length: MAX_SCANNED_ATTEMPTS + 50 }, (_, i) => ({ position: i + 2 }));
    const made = await attempts([
      { position: 1, outcome: 'rejected' },
      ...passed,
      { position: 1e6, outcome: 'rejected' },
    ]);
    const wanted = [made[made.length - 1], made[0]];

    let before: { attemptId: string } | null = null;
    const ofEndpoint: string[][] = [];
    do {
      const page = await listEndpointAttempts(app.db, place(), { limit: 10, before, outcome: 'rejected' });
      ofEndpoint.push(idsOf(page));
      before = page.next;
    } while (before !== null);
    expect(ofEndpoint).toEqual([[wanted[0]], [wanted[1]]]);

    let key: { position: number; attemptId: string } | null = null;
    const ofApp: string[][] = [];
    do {
      const page = await listAppAttempts(app.db, app.appId, { limit: 10, before: key, outcome: 'rejected' });
      ofApp.push(idsOf(page));
      key = page.next;
    } while (key !== null);
    expect(ofApp).toEqual([[wanted[0]], [wanted[1]]]);
  });
});
