// Invariant I4: to a key of another app, everything of an app is answered as if it were not there. The probes are made from the
// routes themselves, so a new route cannot be left out.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type TestApp, testApp } from '../../test/app.ts';
import { buildOpenApi } from './server.ts';

interface Operation {
  method: string;
  path: string;
}

const document = (await buildOpenApi('0.0.0')) as { paths: Record<string, Record<string, unknown>> };
const operations: Operation[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })),
);
const ofApps = operations.filter(({ path }) => path.includes('{app}'));
const ofEndpoints = operations.filter(({ path }) => path.includes('{endpoint}'));
const ofEvents = operations.filter(({ path }) => path.includes('{event}'));
const ofConsumers = operations.filter(({ path }) => path.includes('{consumer}'));
const ofSources = operations.filter(({ path }) => path.includes('{source}'));
const ofReplays = operations.filter(({ path }) => path.includes('{replay}'));
const name = ({ method, path }: Operation): string => `${method} ${path}`;

// A body each call takes: what is refused must be refused for the app, not for the body.
const BODIES: Record<string, unknown> = {
  'PATCH /v1/apps/{app}': { name: 'Mine' },
  'POST /v1/apps/{app}/events': { type: 'a.b', data: 1 },
  'POST /v1/apps/{app}/events/batch': { events: [{ type: 'a.b', data: 1 }] },
  'POST /v1/apps/{app}/events/{event}/resend': { endpoint: 'mine' },
  'POST /v1/apps/{app}/endpoints': { url: 'https://example.com/' },
  'PATCH /v1/apps/{app}/endpoints/{endpoint}': { description: 'Mine' },
  'POST /v1/apps/{app}/dead/resend': {},
  'POST /v1/apps/{app}/consumers/{consumer}/commit': { cursor: 'none' },
  'POST /v1/apps/{app}/consumers/{consumer}/release': { lease: 'lse_none' },
  'POST /v1/apps/{app}/consumers/{consumer}/seek': { to: 'oldest' },
  'POST /v1/apps/{app}/endpoints/{endpoint}/commit': { cursor: 'none' },
  'POST /v1/apps/{app}/endpoints/{endpoint}/replays': { from: 'oldest' },
  'POST /v1/apps/{app}/endpoints/{endpoint}/replays/plan': { from: 'oldest' },
  'POST /v1/apps/{app}/sources': { kind: 'webhook', provider: 'none' },
  'PATCH /v1/apps/{app}/sources/{source}': { description: 'Mine' },
  'POST /v1/apps/{app}/sources/{source}/secret/rotate': { secret: 'a-secret' },
};

// And the query that a call cannot do without.
const QUERIES: Record<string, string> = {
  'GET /v1/apps/{app}/events/{event}/explain': '?endpoint=mine',
};

describe('isolation', () => {
  let app: TestApp;
  let mine: string;
  let theirs: { app: string; endpoint: string; event: string };
  let theirReplay: string;
  let theirSource: string;
  let myKey: string;
  let unknown: { app: string; endpoint: string; event: string };

  const call = (operation: Operation, key: string | null, refs: Record<string, string>): Promise<Answer> => {
    const url = operation.path.replaceAll(/\{(\w+)\}/g, (_, param: string) => refs[param] ?? 'none');
    const body = BODIES[name(operation)];
    const query = QUERIES[name(operation)] ?? '';
    return app.call(`${operation.method} ${url}${query}`, { key, ...(body !== undefined && { body }) });
  };
  /** The answer with the ids that were asked for taken out. */
  const without = ({ status, text, headers }: Answer, refs: Record<string, string>) => ({
    status,
    text: Object.values(refs).reduce((rest, ref) => rest.replaceAll(ref, '…'), text),
    type: headers['content-type'],
  });

  beforeAll(async () => {
    app = await testApp();
    mine = await app.anApp({ uid: 'mine' });
    const theirApp = await app.anApp({ uid: 'theirs' });
    const published = await app.call(`POST /v1/apps/${theirApp}/events`, { body: { type: 'a.b', data: 1 } });
    theirs = { app: theirApp, endpoint: await app.anEndpoint(theirApp, { uid: 'hook' }), event: published.body.id };
    const replays = `POST /v1/apps/${theirApp}/endpoints/hook/replays`;
    theirReplay = (await app.call(replays, { body: { from: 'oldest' } })).body.id;
    await app.call(`PUT /v1/apps/${theirApp}/consumers/theirs-only`);
    const hub = { kind: 'webhook', provider: 'none', uid: 'hub' };
    theirSource = (await app.call(`POST /v1/apps/${theirApp}/sources`, { body: hub })).body.id;
    await app.anEndpoint(mine, { uid: 'mine' });
    myKey = await app.aKey({ appId: mine });
    unknown = { app: app.ids.id('app'), endpoint: app.ids.id('endpoint'), event: app.ids.id('event') };
  });
  afterAll(() => app.close());

  test.each(ofApps.map((operation) => [name(operation), operation] as const))(
    '%s answers a foreign app like an unknown one',
    async (_, operation) => {
      const foreign = await call(operation, myKey, theirs);
      expect(foreign.status).toBe(404);
      expect(foreign.body.code).toBe('not_found');
      expect(without(foreign, theirs)).toEqual(without(await call(operation, myKey, unknown), unknown));

      const byUid = { ...theirs, app: 'theirs' };
      const noUid = { ...unknown, app: 'nobody' };
      const foreignByUid = await call(operation, myKey, byUid);
      expect(foreignByUid.status).toBe(404);
      expect(without(foreignByUid, byUid)).toEqual(without(await call(operation, myKey, noUid), noUid));
    },
  );

  test.each(ofApps.map((operation) => [name(operation), operation] as const))(
    '%s tells an instance key that an unknown app is not there',
    async (_, operation) => {
      const answer = await call(operation, app.key, unknown);
      expect(answer.status).toBe(404);
      expect(answer.body.detail).toBe(`There is no app ${unknown.app}.`);
    },
  );

  test.each(ofEndpoints.map((operation) => [name(operation), operation] as const))(
    "%s answers another app's endpoint like an unknown one",
    async (_, operation) => {
      for (const [foreignRef, unknownRef] of [
        [theirs.endpoint, unknown.endpoint],
        ['hook', 'nothing'],
      ]) {
        const foreign = { app: mine, endpoint: foreignRef };
        const none = { app: mine, endpoint: unknownRef };
        const answer = await call(operation, myKey, foreign);
        expect(answer.status).toBe(404);
        expect(without(answer, foreign)).toEqual(without(await call(operation, myKey, none), none));
      }
    },
  );

  test.each(ofEvents.map((operation) => [name(operation), operation] as const))(
    "%s answers another app's event like an unknown one",
    async (_, operation) => {
      const foreign = { app: mine, event: theirs.event };
      const none = { app: mine, event: unknown.event };
      const answer = await call(operation, myKey, foreign);
      expect(answer.status).toBe(404);
      expect(without(answer, foreign)).toEqual(without(await call(operation, myKey, none), none));
    },
  );

  test.each(ofSources.map((operation) => [name(operation), operation] as const))(
    "%s answers another app's source like an unknown one",
    async (_, operation) => {
      for (const [foreignRef, unknownRef] of [
        [theirSource, app.ids.id('source')],
        ['hub', 'nothing'],
      ]) {
        const foreign = { app: mine, source: foreignRef };
        const none = { app: mine, source: unknownRef };
        const answer = await call(operation, myKey, foreign);
        expect(answer.status).toBe(404);
        expect(without(answer, { source: foreignRef })).toEqual(
          without(await call(operation, myKey, none), { source: unknownRef }),
        );
      }
      expect((await app.call(`GET /v1/apps/${theirs.app}/sources/hub`)).status).toBe(200);
    },
  );

  test.each(ofReplays.map((operation) => [name(operation), operation] as const))(
    "%s answers another app's replay like an unknown one",
    async (_, operation) => {
      const foreign = { app: mine, endpoint: 'mine', replay: theirReplay };
      const none = { ...foreign, replay: app.ids.id('replay') };
      const answer = await call(operation, myKey, foreign);
      expect(answer.status).toBe(404);
      expect(without(answer, { replay: foreign.replay })).toEqual(
        without(await call(operation, myKey, none), { replay: none.replay }),
      );
      expect((await call(operation, app.key, { ...foreign, ...theirs })).status).toBe(200);
    },
  );

  test.each(ofConsumers.map((operation) => [name(operation), operation] as const))(
    "%s answers another app's consumer like an unknown one",
    async (_, operation) => {
      if (operation.method === 'PUT') return; // makes one of that name
      const body = BODIES[name(operation)] as object | undefined;
      const cursor = (await app.call(`GET /v1/apps/${mine}/events`)).body.cursor;
      const answers = await Promise.all(
        ['theirs-only', 'nothing'].map((consumer) =>
          app.call(`${operation.method} ${operation.path.replace('{app}', mine).replace('{consumer}', consumer)}`, {
            key: myKey,
            ...(body !== undefined && { body: 'cursor' in body ? { cursor } : body }),
          }),
        ),
      );
      expect(answers.map(({ status }) => status)).toEqual([404, 404]);
      expect(without(answers[0], { consumer: 'theirs-only' })).toEqual(without(answers[1], { consumer: 'nothing' }));
      const foreign = await call(operation, myKey, { ...theirs, consumer: 'theirs-only' });
      expect(foreign.status).toBe(404);
      expect((await app.call(`GET /v1/apps/${theirs.app}/consumers/theirs-only`)).status).toBe(200);
    },
  );

  test.each(
    operations.filter(({ path }) => path.startsWith('/v1/')).map((operation) => [name(operation), operation] as const),
  )('%s needs a key', async (_, operation) => {
    for (const key of [null, 'tdg_wrong', app.key.slice(0, -1)]) {
      const answer = await call(operation, key, theirs);
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
      expect(answer.body.code).toBe('unauthorized');
    }
  });

  test("an app's key reads its own app and no instance-wide list", async () => {
    expect((await app.call(`GET /v1/apps/${mine}`, { key: myKey })).status).toBe(200);
    expect((await app.call('GET /v1/apps/mine', { key: myKey })).body.id).toBe(mine);
    for (const route of ['GET /v1/apps', 'GET /v1/keys', 'GET /v1/source-requests', 'DELETE /v1/event-types/a.b']) {
      expect((await app.call(route, { key: myKey })).body.code).toBe('forbidden');
    }
    for (const [route, body] of [
      ['POST /v1/apps', { name: 'x' }],
      ['PUT /v1/event-types/a.b', { description: 'x' }],
      ['POST /v1/keys', { name: 'x', scope: 'instance', permissions: ['manage'] }],
    ] as const) {
      expect((await app.call(route, { key: myKey, body })).body.code).toBe('forbidden');
    }
  });

  test('a cursor of another app is none, and a page token shows nothing of another app', async () => {
    const { cursor } = (await app.call(`GET /v1/apps/${theirs.app}/events`)).body;
    expect((await app.call(`GET /v1/apps/${mine}/events?after=${cursor}`, { key: myKey })).body.code).toBe(
      'invalid_cursor',
    );
    const created = await app.call(`POST /v1/apps/${mine}/endpoints`, {
      key: myKey,
      body: { url: 'https://example.com/', start: { cursor } },
    });
    expect(created.body.code).toBe('invalid_cursor');
    for (const call of ['replays', 'replays/plan']) {
      for (const body of [{ from: cursor }, { from: 'oldest', to: cursor }]) {
        const answer = await app.call(`POST /v1/apps/${mine}/endpoints/mine/${call}`, { key: myKey, body });
        expect(answer.body.code).toBe('invalid_cursor');
      }
    }
    await app.call(`PUT /v1/apps/${mine}/consumers/billing`, { key: myKey });
    await app.call(`PATCH /v1/apps/${mine}/endpoints/mine`, { key: myKey, body: { mode: 'pull' } });
    for (const [route, body] of [
      ['PUT consumers/other', { start: { cursor } }],
      ['POST consumers/billing/commit', { cursor }],
      ['POST consumers/billing/seek', { to: cursor }],
      ['POST endpoints/mine/commit', { cursor }],
      [`GET endpoints/mine/events?after=${cursor}`, undefined],
    ] as const) {
      const [method, path] = route.split(' ');
      const answer = await app.call(`${method} /v1/apps/${mine}/${path}`, { key: myKey, ...(body && { body }) });
      expect([route, answer.body.code]).toEqual([route, 'invalid_cursor']);
    }
    const start = { endpoint: theirs.endpoint };
    expect((await app.call(`PUT /v1/apps/${mine}/consumers/other`, { key: myKey, body: { start } })).status).toBe(404);
    const page = Buffer.from(JSON.stringify(theirs.endpoint)).toString('base64url');
    const { data } = (await app.call(`GET /v1/apps/${mine}/endpoints?page=${page}`, { key: myKey })).body;
    expect(data.every(({ uid }: { uid: string }) => uid === 'mine')).toBe(true);
  });

  test("explains nothing of another app's endpoint, nor resends or lists its dead", async () => {
    const answers = [];
    const event = (await app.call(`POST /v1/apps/${mine}/events`, { key: myKey, body: { type: 'a', data: 1 } })).body
      .id;
    for (const endpoint of [theirs.endpoint, unknown.endpoint]) {
      const explained = await app.call(`GET /v1/apps/${mine}/events/${event}/explain?endpoint=${endpoint}`, {
        key: myKey,
      });
      const resent = await app.call(`POST /v1/apps/${mine}/dead/resend`, { key: myKey, body: { endpoint } });
      const listed = await app.call(`GET /v1/apps/${mine}/dead?endpoint=${endpoint}`, { key: myKey });
      expect([explained.status, resent.status, listed.status]).toEqual([404, 404, 404]);
      answers.push([explained, resent, listed].map((answer) => without(answer, { endpoint })));
    }
    expect(answers[0]).toEqual(answers[1]);
  });

  test('needs each permission by itself', async () => {
    const READ = 'read';
    for (const operation of operations.filter(({ path }) => path.startsWith('/v1/'))) {
      const isPublish =
        (/events(\/batch)?$/.test(operation.path) && operation.method === 'POST') ||
        (operation.path.includes('/scheduled/') && operation.method === 'DELETE');
      // Reading on is reading, also where the cursor is kept on the server.
      const isRead = /\/(plan|lease|commit|release)$|\/filters\/test$/.test(operation.path);
      const isManage =
        (operation.method !== 'GET' && !isRead) || operation.path.endsWith('/secret') || operation.path === '/v1/keys';
      const needed = isPublish ? 'publish' : isManage ? 'manage' : READ;
      const others = (['read', 'publish', 'manage'] as const).filter((permission) => permission !== needed);
      const answer = await call(operation, await app.aKey({ appId: null, permissions: others }), theirs);
      expect([name(operation), answer.status, answer.body?.code]).toEqual([name(operation), 403, 'forbidden']);
      expect(answer.body.detail).toContain(needed);
    }
  });
});
