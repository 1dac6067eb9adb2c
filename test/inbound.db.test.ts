// Webhooks of third parties over real sockets: verified, stored before they are answered, one event each.
import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { verify } from '@octokit/webhooks-methods';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTidings } from '../src/app/tidings.ts';
import { type Running, running, testConfig } from './running.ts';
import { until } from './until.ts';

const SECRET = 'a-secret-of-the-hook';
const BODY = '{ "ref": "refs/heads/main", "n": 1.50 }';

interface Sent {
  status: number;
  text: string;
  headers: Headers;
}

// biome-ignore lint/suspicious/noExplicitAny: what the API answers is what the tests are about
type Json = any;

describe('a source', () => {
  let server: Running;
  let app: string;
  let deliveries = 0;
  beforeAll(async () => {
    server = await running();
    app = await server.anApp();
  });
  afterAll(() => server.close());

  const aSource = (members: object = {}): Promise<Json> =>
    server.ask(`POST /v1/apps/${app}/sources`, { kind: 'webhook', provider: 'github', secrets: [SECRET], ...members });

  async function send(path: string, init: RequestInit = {}): Promise<Sent> {
    const answer = await fetch(`${server.url}${path}`, { method: 'POST', ...init });
    return { status: answer.status, text: await answer.text(), headers: answer.headers };
  }

  /** As GitHub sends it. */
  function push(path: string, { body = BODY, secret = SECRET, delivery = `d-${++deliveries}`, headers = {} } = {}) {
    const signature = createHmac('sha256', secret).update(body).digest('hex');
    return send(path, {
      body,
      headers: {
        'content-type': 'application/json',
        'x-github-event': 'push',
        'x-github-delivery': delivery,
        'x-hub-signature-256': `sha256=${signature}`,
        ...headers,
      },
    });
  }

  /** The events of the log after those that were there. */
  async function follow(): Promise<() => Promise<Json[]>> {
    const { cursor } = await server.ask(`GET /v1/apps/${app}/events?after=now`);
    return async () => (await server.ask(`GET /v1/apps/${app}/events?after=${cursor}&limit=1000`)).events;
  }

  async function requests(source: Json, count: number, query = ''): Promise<Json[]> {
    let data: Json[] = [];
    await until(async () => {
      ({ data } = await server.ask(`GET /v1/apps/${app}/sources/${source.id}/requests${query}`));
      return data.length >= count;
    });
    expect(data).toHaveLength(count);
    return data;
  }

  test('makes a verified webhook an event, its body byte for byte', async () => {
    const source = await aSource({ channels: ['repo:1'] });
    const added = await follow();
    const answer = await push(source.path);
    expect(answer.status).toBe(200);
    const [event, ...more] = await added();
    expect(more).toEqual([]);
    expect(event).toMatchObject({ type: 'github.push', channels: ['repo:1'], position: expect.any(Number) });
    const text = (await server.call(`GET /v1/apps/${app}/events/${event.id}`)).bytes.toString();
    expect(text).toContain(BODY);
  });

  test('knows an event by the provider’s id, whatever comes with it, and another source does not', async () => {
    const [one, other] = [await aSource(), await aSource()];
    const added = await follow();
    const answers = [];
    for (const source of [one, one, other]) answers.push(await push(source.path, { delivery: 'same' }));
    await push(one.path, { delivery: 'same', body: '{}' });
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const events = await added();
    expect(events).toHaveLength(2);
    const kept = await requests(one, 2);
    expect(kept.map(({ cause, event, status }) => ({ cause, event, status }))).toEqual(
      Array.from({ length: 2 }, () => ({ cause: 'duplicate', event: events[0].id, status: 200 })),
    );
  });

  test('knows an event by its body where the provider gives no id, for as long as it is told to', async () => {
    const none = { provider: 'none', secrets: [] };
    const [short, long] = [await aSource({ ...none, deduplicateSeconds: 0 }), await aSource(none)];
    const added = await follow();
    for (const { path } of [short, short, long, long]) await send(path, { body: '{"a":1}' });
    await send(long.path, { body: '{"a":2}' });
    expect(await added()).toHaveLength(4);
  });

  test('refuses what is not signed with its secret, and says what was wrong', async () => {
    const source = await aSource();
    const added = await follow();
    const wrong = await push(source.path, { secret: 'another', headers: { authorization: 'Bearer hidden' } });
    expect(wrong).toMatchObject({ status: 401, text: 'The signature is not valid.\n' });
    const signature = `sha256=${createHmac('sha256', SECRET)
      .update(JSON.stringify({ a: 1 }))
      .digest('hex')}`;
    const changed = await send(source.path, {
      body: '{\n  "a": 1\n}',
      headers: { 'x-hub-signature-256': signature, 'x-github-event': 'push', 'x-note': `my ${SECRET}` },
    });
    expect(changed.status).toBe(401);
    await send(source.path, { body: BODY });
    expect(await added()).toEqual([]);
    const kept = await requests(source, 3);
    expect(kept.map(({ cause, reason }) => [cause, reason])).toEqual([
      ['bad_signature', 'signature_missing'],
      ['bad_signature', 'body_changed'],
      ['bad_signature', 'no_match'],
    ]);
    expect(kept[1].detail).toContain('its JSON was compact');
    expect(kept[2]).toMatchObject({ method: 'POST', status: 401, body: BODY, bodyBytes: BODY.length, event: null });
    expect(kept[2].headers).toContainEqual(['authorization', '[redacted]']);
    expect(JSON.stringify(kept)).not.toMatch(new RegExp(`${SECRET}|hidden|${source.path.slice(4)}`));
    expect(await requests(source, 0, '?cause=duplicate')).toEqual([]);
  });

  test('takes several secrets while they are rotated', async () => {
    const source = await aSource();
    const rotate = (body: object) =>
      server.call(`POST /v1/apps/${app}/sources/${source.id}/secret/rotate`, body).then(({ body: answer }) => answer);
    expect(await rotate({ secret: 'the-second-one' })).toMatchObject({ secrets: 2 });
    const statuses = async () => [
      (await push(source.path)).status,
      (await push(source.path, { secret: 'the-second-one' })).status,
    ];
    expect(await statuses()).toEqual([200, 200]);
    expect(await rotate({ secret: 'the-third-one', graceSeconds: 0 })).toMatchObject({ secrets: 1 });
    expect(await statuses()).toEqual([401, 401]);
    expect((await push(source.path, { secret: 'the-third-one' })).status).toBe(200);
  });

  test('limits how many events a second it takes, and tells the provider when to come again', async () => {
    const source = await aSource({ rate: { perSecond: 0.01 } });
    const added = await follow();
    expect((await push(source.path)).status).toBe(200);
    const limited = await push(source.path);
    expect(limited.status).toBe(429);
    expect(limited.headers.get('retry-after')).toBe('1');
    // What is not the provider's takes nothing of its share.
    expect((await push(source.path, { secret: 'another' })).status).toBe(401);
    expect(await added()).toHaveLength(1);
    expect((await requests(source, 2)).map(({ cause }) => cause)).toEqual(['bad_signature', 'rate_limited']);
    await server.ask(`PATCH /v1/apps/${app}/sources/${source.id}`, { rate: null });
    expect((await push(source.path)).status).toBe(200);
  });

  test('answers as it is told to, once the event is stored', async () => {
    const response = { status: 202, headers: { 'content-type': 'application/xml', 'x-thanks': 'yes' }, body: '<ok/>' };
    const source = await aSource({ response });
    const answer = await push(source.path);
    expect(answer).toMatchObject({ status: 202, text: '<ok/>' });
    expect(answer.headers.get('content-type')).toBe('application/xml');
    expect(answer.headers.get('x-thanks')).toBe('yes');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect((await push(source.path, { secret: 'another' })).status).toBe(401);
  });

  test('acknowledges what its filter leaves out, and forgets it', async () => {
    const source = await aSource({ filter: { types: ['github.issues'], where: { 'data.n': 1.5 } } });
    const added = await follow();
    expect((await push(source.path)).status).toBe(200);
    expect((await push(source.path, { headers: { 'x-github-event': 'issues' } })).status).toBe(200);
    expect((await added()).map(({ type }: Json) => type)).toEqual(['github.issues']);
    expect((await requests(source, 1))[0]).toMatchObject({ cause: 'filtered', type: 'github.push' });
  });

  test('takes any method and type of content where its provider does', async () => {
    const source = await aSource({ provider: 'none', secrets: [] });
    const added = await follow();
    const form = new URLSearchParams([
      ['a', '1'],
      ['b', 'ü'],
      ['b', '2'],
    ]);
    const bytes = Buffer.from([0, 255, 10]);
    const sent = [
      await send(source.path, { body: form }),
      await send(source.path, { method: 'PUT', body: bytes, headers: { 'content-type': 'image/x' } }),
      await send(source.path, { body: 'plain\r\n', headers: { 'content-type': 'text/plain' } }),
      await send(`${source.path}?a=1`, { method: 'GET' }),
      await send(source.path, { method: 'DELETE' }),
    ];
    // Two bodies without a byte are one event.
    expect(sent.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect((await added()).map(({ data }: Json) => data)).toEqual([
      { contentType: expect.stringContaining('form'), form: { a: '1', b: ['ü', '2'] }, text: form.toString() },
      { contentType: 'image/x', base64: bytes.toString('base64') },
      { contentType: 'text/plain', text: 'plain\r\n' },
      { contentType: '', text: '' },
    ]);
  });

  test('shakes hands', async () => {
    const source = await aSource({ provider: 'slack' });
    const body = JSON.stringify({ type: 'url_verification', challenge: 'c-1' });
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signature = createHmac('sha256', SECRET).update(`v0:${timestamp}:${body}`).digest('hex');
    const headers = { 'content-type': 'application/json', 'x-slack-request-timestamp': timestamp };
    const added = await follow();
    const answer = await send(source.path, { body, headers: { ...headers, 'x-slack-signature': `v0=${signature}` } });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('c-1');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await added()).toEqual([]);
  });

  test('keeps the secret that a provider gives in its handshake, and takes no second one', async () => {
    const source = await aSource({ provider: 'asana', secrets: [] });
    const greet = (secret: string) => send(source.path, { headers: { 'x-hook-secret': secret } });
    const greeted = await greet('given-by-asana-1');
    expect(greeted.status).toBe(200);
    expect(greeted.headers.get('x-hook-secret')).toBe('given-by-asana-1');
    expect((await server.ask(`GET /v1/apps/${app}/sources/${source.id}`)).secrets).toBe(1);
    expect((await greet('given-by-another-one')).status).toBe(403);
    const body = '{"events":[{"action":"added"}]}';
    const signature = createHmac('sha256', 'given-by-asana-1').update(body).digest('hex');
    expect((await send(source.path, { body, headers: { 'x-hook-signature': signature } })).status).toBe(200);
    const [kept] = await requests(source, 1);
    expect(kept).toMatchObject({ cause: 'bad_handshake', reason: 'handshake_over' });
    expect(JSON.stringify(kept)).not.toContain('given-by-another-one');
  });

  test('that is paused asks the provider to come again, and goes on when it is resumed', async () => {
    const source = await aSource();
    const patch = (paused: boolean) => server.ask(`PATCH /v1/apps/${app}/sources/${source.id}`, { paused });
    expect((await patch(true)).state).toBe('paused');
    const answer = await push(source.path);
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await patch(false)).state).toBe('active');
    expect((await push(source.path)).status).toBe(200);
  });

  test('refuses a body that is too large', async () => {
    const source = await aSource({ provider: 'none', secrets: [] });
    const answer = await send(source.path, { body: Buffer.alloc(1024 * 1024 + 1, 97) });
    expect(answer.status).toBe(413);
    expect(await requests(source, 1)).toMatchObject([{ cause: 'too_large', status: 413 }]);
  });

  test('is gone when it is deleted, and an address that never was is none', async () => {
    const source = await aSource();
    expect((await push(source.path)).status).toBe(200);
    await server.ask(`DELETE /v1/apps/${app}/sources/${source.id}`);
    const gone = await push(source.path);
    expect(gone.status).toBe(404);
    expect(gone).toEqual({ ...(await push(`/in/${'0'.repeat(26)}`)), headers: expect.anything() });
    expect((await push('/in/../v1/apps')).status).not.toBe(200);
    expect((await push('/in/x')).status).toBe(404);
    const list = async () => (await server.ask('GET /v1/source-requests')).data;
    await until(async () => (await list()).length === 3);
    const zeros = 'No source has the address /in/000000….';
    expect((await list()).map(({ detail }: { detail: string }) => detail)).toEqual([
      'No source has the address /in/….',
      zeros,
      `No source has the address ${source.path.slice(0, 10)}….`,
    ]);
    expect((await list())[1]).toMatchObject({ cause: 'unknown_source', method: 'POST', path: '/in/…', status: 404 });
  });

  test('takes one secret without a list', async () => {
    const { secrets, ...source } = await aSource({ secrets: undefined, secret: SECRET });
    expect(secrets).toBe(1);
    expect((await push(source.path)).status).toBe(200);
  });

  test('that captures keeps every request and shows them live, past a lost connection too', async () => {
    const source = await aSource({ provider: 'none', secrets: [], capture: true });
    const path = `${server.url}/v1/apps/${app}/sources/${source.id}/requests/stream`;
    const watch = async (headers: Record<string, string> = {}) => {
      const aborter = new AbortController();
      const answer = await fetch(path, {
        headers: { authorization: `Bearer ${server.key}`, ...headers },
        signal: aborter.signal,
      });
      const seen: Json[] = [];
      const reading = (async () => {
        let text = '';
        for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
          text += chunk;
          const blocks = text.split('\n\n');
          text = blocks.pop()!;
          for (const block of blocks) if (block.includes('data: ')) seen.push(JSON.parse(block.split('data: ')[1]));
        }
      })().catch(() => {});
      return {
        seen,
        type: answer.headers.get('content-type'),
        close: async () => {
          aborter.abort();
          await reading;
        },
      };
    };
    const viewer = await watch();
    expect(viewer.type).toBe('text/event-stream');
    await send(source.path, { body: '{"n":1}' });
    await send(`${source.path}?token=hidden&n=2`, { body: 'two' });
    await until(() => viewer.seen.length === 2);
    const [first, second] = viewer.seen;
    expect(first).toMatchObject({ cause: null, body: '{"n":1}', status: 200, type: 'none.event' });
    expect(first.event).toMatch(/^evt_/);
    expect(second.path).toBe('/in/…?token=[redacted]&n=2');
    await viewer.close();
    await send(source.path, { body: 'three' });
    const again = await watch({ 'last-event-id': first.id });
    await until(() => again.seen.length === 2);
    expect(again.seen.map(({ body }) => body)).toEqual(['two', 'three']);
    await again.close();
    const bad = await server.call(`GET /v1/apps/${app}/sources/${source.id}/requests/stream`, undefined, {
      'last-event-id': 'evt_1',
    });
    expect(bad.status).toBe(400);
  });

  test('is sent on as it was received, for a handler that verifies the provider itself', async () => {
    const got: { headers: IncomingHttpHeaders; body: Buffer }[] = [];
    const handler = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        got.push({ headers: request.headers, body: Buffer.concat(chunks) });
        response.end();
      });
    });
    await new Promise<void>((resolve) => handler.listen(0, '127.0.0.1', resolve));
    const { port } = handler.address() as AddressInfo;
    const other = await server.anApp();
    try {
      const path = (
        await server.ask(`POST /v1/apps/${other}/sources`, { kind: 'webhook', provider: 'github', secrets: [SECRET] })
      ).path;
      await server.anEndpoint(other, { url: `http://127.0.0.1:${port}/`, format: 'original' });
      await push(path, { body: BODY, headers: { 'content-type': 'application/json; charset=utf-8', cookie: 'a=1' } });
      await until(() => got.length === 1);
      const [{ headers, body }] = got;
      expect(body.toString()).toBe(BODY);
      expect(headers).toMatchObject({ 'content-type': 'application/json; charset=utf-8', 'x-github-event': 'push' });
      expect(headers.cookie).toBeUndefined();
      expect(await verify(SECRET, body.toString(), String(headers['x-hub-signature-256']))).toBe(true);

      // Of Standard Webhooks too, whose headers are the names of ours.
      const id = 'msg_1';
      const seconds = String(Math.floor(Date.now() / 1000));
      const signature = createHmac('sha256', 's'.repeat(24)).update(`${id}.${seconds}.{}`).digest('base64');
      const signed = { 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': `v1,${signature}` };
      const standard = await server.ask(`POST /v1/apps/${other}/sources`, {
        kind: 'webhook',
        provider: 'standard-webhooks',
        secrets: [`whsec_${Buffer.from('s'.repeat(24)).toString('base64')}`],
      });
      expect((await send(standard.path, { body: '{}', headers: signed })).status).toBeLessThan(300);
      await until(() => got.length === 2);
      expect(got[1].headers).toMatchObject(signed);
    } finally {
      handler.close().closeAllConnections();
    }
  });

  test('goes on after a restart with what it knew', async () => {
    const source = await aSource();
    const added = await follow();
    expect((await push(source.path, { delivery: 'before-and-after' })).status).toBe(200);
    await server.stop();
    await server.start();
    expect((await push(source.path, { delivery: 'before-and-after' })).status).toBe(200);
    expect(await added()).toHaveLength(1);
  });
});

describe('the role inbound', () => {
  test('takes webhooks, and those without it none', async () => {
    const api = await running({ roles: ['api', 'push'] });
    const inbound = await startTidings(testConfig(api.database.url, { roles: ['inbound'] }), { migrate: false });
    try {
      const app = await api.anApp();
      const source = await api.ask(`POST /v1/apps/${app}/sources`, { kind: 'webhook', provider: 'none' });
      const send = async (url: string) => (await fetch(`${url}${source.path}`, { method: 'POST', body: '{}' })).status;
      expect(await send(api.url)).toBe(404);
      expect(await send(inbound.url)).toBe(200);
      expect((await api.ask(`GET /v1/apps/${app}/events`)).events).toHaveLength(1);
      expect((await fetch(`${inbound.url}/v1/apps`)).status).toBe(404);
      // What another process changed is obeyed soon.
      await api.ask(`DELETE /v1/apps/${app}/sources/${source.id}`);
      await until(async () => (await send(inbound.url)) === 404);
    } finally {
      await inbound.stop();
      await api.close();
    }
  });
});
