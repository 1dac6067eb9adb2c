import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../../test/app.ts';
import { uuidFromId } from '../../core/id.ts';
import { CAUSES, OUTCOMES, REASONS } from '../../core/outcome.ts';

describe('attempts API', () => {
  let app: TestApp;
  let appId: string;
  let endpoint: string;
  let event: string;

  beforeAll(async () => {
    app = await testApp();
    appId = await app.anApp();
    endpoint = await app.anEndpoint(appId, { uid: 'hook' });
    event = (await app.call(`POST /v1/apps/${appId}/events`, { body: { type: 'a', data: 1 } })).body.id;
    const place = [uuidFromId('app', appId), uuidFromId('endpoint', endpoint)];
    for (const [position, outcome] of [
      [1, 'rejected'],
      [1, 'delivered'],
      [2, 'delivered'],
    ] as const) {
      await app.db.query(
        {
          name: 'test_attempt',
          text: `INSERT INTO attempts (app_id, endpoint_id, attempt_id, position, started_at, day, cause, attempt, outcome, reason,
            total_us, dead, event_id) VALUES ($1, $2, $3, $4, now(), current_date, $5, 1, $6, $7, 5, false, 'x')`,
        },
        [
          ...place,
          app.ids.uuid(),
          position,
          CAUSES.indexOf('live'),
          OUTCOMES.indexOf(outcome),
          REASONS.indexOf('redirect'),
        ],
      );
    }
  });
  afterAll(() => app.close());

  /** Walks all pages of two. */
  async function all(path: string): Promise<{ position: number; outcome: string }[]> {
    const seen = [];
    let page = '';
    do {
      const { status, body } = await app.call(`GET /v1/apps/${appId}/${path}limit=2${page}`);
      expect(status).toBe(200);
      seen.push(...body.data);
      page = body.nextPage === null ? '' : `&page=${body.nextPage}`;
    } while (page !== '');
    return seen;
  }
  const outcomes = async (path: string) => (await all(path)).map(({ position, outcome }) => `${position} ${outcome}`);

  test('lists those of an endpoint, an app, an event', async () => {
    expect(await outcomes('endpoints/hook/attempts?')).toEqual(['2 delivered', '1 delivered', '1 rejected']);
    expect(await outcomes('attempts?')).toEqual(['2 delivered', '1 delivered', '1 rejected']);
    expect(await outcomes(`events/${event}/attempts?`)).toEqual(['1 delivered', '1 rejected']);
  });

  test('lists those of one outcome', async () => {
    expect(await outcomes('endpoints/hook/attempts?outcome=rejected&')).toEqual(['1 rejected']);
    expect(await outcomes('attempts?outcome=delivered&')).toEqual(['2 delivered', '1 delivered']);
    const { body } = await app.call(`GET /v1/apps/${appId}/attempts?outcome=failed`);
    expect(body.errors[0].path).toBe('/outcome');
  });

  test.each(['endpoints/hook/attempts', 'attempts', 'dead', 'endpoints'])(
    'refuses a page of another list: %s',
    async (path) => {
      for (const key of ['"x"', '[1,2]', '{"diedAtUs":9e18}', 'no json']) {
        const page = Buffer.from(key).toString('base64url');
        const { status, body } = await app.call(`GET /v1/apps/${appId}/${path}?page=${page}`);
        expect([status, body.errors[0].path]).toEqual([400, '/page']);
      }
      for (const limit of ['0', '251', '1.5', 'x']) {
        const { body } = await app.call(`GET /v1/apps/${appId}/${path}?limit=${limit}`);
        expect(body.errors[0].path).toBe('/limit');
      }
    },
  );
});
