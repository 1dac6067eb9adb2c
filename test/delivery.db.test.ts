// Delivery from end to end: what an endpoint is sent and when, and what the API tells of it.
import { createPublicKey, verify } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type ReceivedRequest, type Receiver, receiver } from './receiver.ts';
import { type Running, running } from './running.ts';
import { until } from './until.ts';

let server: Running;
const receivers: Receiver[] = [];
beforeAll(async () => {
  server = await running();
});
afterEach(async () => {
  await Promise.all(receivers.splice(0).map((hooks) => hooks.close()));
});
afterAll(() => server.close());

async function aReceiver(answer: Answer | Answer[] = 200): Promise<Receiver> {
  const hooks = await receiver();
  hooks.respondWith(answer);
  receivers.push(hooks);
  return hooks;
}

/** An app with one endpoint, at a receiver that answers so. */
async function setup(answer: Answer | Answer[] = 200, members: object = {}) {
  const hooks = await aReceiver(answer);
  const appId = await server.anApp();
  const endpointId = await server.anEndpoint(appId, { url: hooks.url, ...members });
  const app = `/v1/apps/${appId}`;
  return { hooks, appId, endpointId, app, endpoint: `${app}/endpoints/${endpointId}` };
}

const idOf = ({ headers }: ReceivedRequest): string => String(headers['webhook-id']);
const idsAt = (hooks: Receiver): string[] => hooks.requests.map(idOf);
const attemptOf = ({ headers }: ReceivedRequest): number => Number(headers['tidings-attempt']);
const namesOf = (events: { type: string }[]): string[] => events.map(({ type }) => type);

describe('an endpoint', () => {
  test('is sent what its filter takes, and no more', async () => {
    const { hooks, appId, endpointId } = await setup();
    const filters = {
      exact: { types: ['invoice.paid', 'user.created'] },
      pattern: { types: ['invoice.*', '*.deleted'] },
      channels: { channels: ['eu', 'us'] },
      both: { types: ['invoice.*'], channels: ['eu'] },
    };
    const endpoints: string[] = [endpointId];
    for (const [name, filter] of Object.entries(filters)) {
      endpoints.push(await server.anEndpoint(appId, { url: `${hooks.url}/${name}`, filter }));
    }
    const events = [
      { id: 'paid', type: 'invoice.paid' },
      { id: 'paid-eu', type: 'invoice.paid', channels: ['eu', 'vip'] },
      { id: 'voided-us', type: 'invoice.voided', channels: ['us'] },
      { id: 'created-eu', type: 'user.created', channels: ['eu'] },
      { id: 'deleted', type: 'user.deleted' },
      { id: 'other', type: 'invoices', channels: ['europe'] },
    ];
    for (const event of events) await server.publish(appId, event);
    for (const id of endpoints) await server.settled(appId, id);
    const at = (path: string): string[] =>
      hooks.requests
        .filter((request) => request.path === path)
        .map(idOf)
        .sort();
    expect(at('/')).toEqual(events.map(({ id }) => id).sort());
    expect(at('/exact')).toEqual(['created-eu', 'paid', 'paid-eu']);
    expect(at('/pattern')).toEqual(['deleted', 'paid', 'paid-eu', 'voided-us']);
    expect(at('/channels')).toEqual(['created-eu', 'paid-eu', 'voided-us']);
    expect(at('/both')).toEqual(['paid-eu']);
  });

  test('is sent its own headers beside those of Tidings', async () => {
    const headers = { Authorization: 'Bearer abc', 'X-Team': '  billing, caf\u00e9 ' };
    const { hooks, appId } = await setup(200, { headers });
    const { id, position } = await server.publish(appId);
    const request = await hooks.request(1);
    expect(request.headers).toMatchObject({
      authorization: 'Bearer abc',
      'x-team': 'billing, caf\u00e9',
      'content-type': 'application/json',
      'webhook-id': id,
      'tidings-attempt': '1',
      'tidings-position': String(position),
    });
    expect(request.headers['user-agent']).toMatch(/^Tidings\/\d+\.\d+\.\d+$/);
    expect(request.method).toBe('POST');
  });

  test('begins where it was told to', async () => {
    const { hooks, appId } = await setup();
    const first = await server.publish(appId);
    const second = await server.publish(appId);
    const third = await server.publish(appId);
    const starts = { oldest: 'oldest', after: { cursor: first.cursor }, now: 'now' };
    const endpoints: string[] = [];
    for (const [name, start] of Object.entries(starts)) {
      endpoints.push(await server.anEndpoint(appId, { url: `${hooks.url}/${name}`, start }));
    }
    const fourth = await server.publish(appId);
    for (const id of endpoints) await server.settled(appId, id);
    const at = (path: string): string[] =>
      hooks.requests
        .filter((request) => request.path === path)
        .map(idOf)
        .sort();
    const all = [first, second, third, fourth].map(({ id }) => id);
    expect(at('/oldest')).toEqual(all.toSorted());
    expect(at('/after')).toEqual(all.slice(1).sort());
    expect(at('/now')).toEqual(all.slice(3));
  });

  test('obeys a changed filter from the next event on, under a stream of events', async () => {
    const { hooks, appId, endpointId, endpoint } = await setup(200, { filter: { types: ['even'] } });
    const wanted = new Set<string>();
    const unwanted = new Set<string>();
    let streaming = true;
    let taken: string | null = 'even';
    const publishers = ['even', 'odd'].map(async (type) => {
      while (streaming) {
        // What is under way while the filter changes may be taken or not.
        const before = taken;
        const { id } = await server.publish(appId, { type });
        if (before !== null && before === taken) (type === taken ? wanted : unwanted).add(id);
      }
    });
    for (let round = 1; round <= 30; round++) {
      taken = null;
      const type = round % 2 === 0 ? 'even' : 'odd';
      await server.ask(`PATCH ${endpoint}`, { filter: { types: [type] } });
      taken = type;
      wanted.add((await server.publish(appId, { type })).id);
      unwanted.add((await server.publish(appId, { type: type === 'even' ? 'odd' : 'even' })).id);
    }
    streaming = false;
    await Promise.all(publishers);
    await server.settled(appId, endpointId);
    const received = idsAt(hooks);
    expect(new Set(received).size).toBe(received.length);
    expect([...wanted].filter((id) => !received.includes(id))).toEqual([]);
    expect(received.filter((id) => unwanted.has(id))).toEqual([]);
    expect(wanted.size).toBeGreaterThanOrEqual(30);
  });

  test('takes what waited for it by the filter of the time it was published', async () => {
    const { hooks, appId, endpointId, endpoint } = await setup(200, { filter: { types: ['even'] } });
    await server.ask(`POST ${endpoint}/pause`);
    const wanted: string[] = [];
    for (const taken of ['even', 'odd', 'none']) {
      await server.ask(`PATCH ${endpoint}`, { filter: { types: [taken] } });
      for (const type of ['even', 'odd']) {
        const { id } = await server.publish(appId, { type });
        if (type === taken) wanted.push(id);
      }
    }
    await server.ask(`POST ${endpoint}/resume`);
    await server.settled(appId, endpointId);
    expect(idsAt(hooks).sort()).toEqual(wanted.sort());
  });

  test('that hangs times out, and holds up no other', async () => {
    const { hooks, appId, endpointId, endpoint } = await setup('hang', { timeoutMs: 60_000 });
    const healthy = await aReceiver();
    const healthyId = await server.anEndpoint(appId, { url: healthy.url });
    const events = Array.from({ length: 300 }, (_, data) => ({ type: 'a.b', data }));
    await server.ask(`POST /v1/apps/${appId}/events/batch`, { events });
    await server.settled(appId, healthyId);
    expect(healthy.requests).toHaveLength(300);
    const status = await server.ask(`GET ${endpoint}/status`);
    expect(status).toMatchObject({ lag: { events: 300 }, state: 'active' });
    expect(status.inFlight).toBeGreaterThan(0);
    await until(() => hooks.requests.length === status.inFlight);

    const timed = await server.anEndpoint(appId, { url: hooks.url, timeoutMs: 1000, retry: { delaysSeconds: [] } });
    await server.publish(appId);
    const listed = `GET /v1/apps/${appId}/endpoints/${timed}/attempts`;
    await until(async () => (await server.ask(listed)).data.length === 1);
    const [attempt] = (await server.ask(listed)).data;
    expect(attempt).toMatchObject({ outcome: 'unreachable', reason: 'timeout_total', status: null, dead: true });
    expect(attempt.error).toContain('1000 ms');
    await server.ask(`DELETE /v1/apps/${appId}/endpoints/${endpointId}`);
  });
});

describe('a failing event', () => {
  test('is retried by the schedule until it is dead, and resent by hand', async () => {
    const { hooks, appId, endpointId, app, endpoint } = await setup(500, { retry: { delaysSeconds: [0.05, 0.1] } });
    const { id, position } = await server.publish(appId);
    await until(async () => (await server.ask(`GET ${app}/dead`)).data.length === 1);
    expect((await server.ask(`GET ${app}/dead`)).data).toMatchObject([
      { endpoint: endpointId, event: id, position, attempts: 3, reason: 'status_5xx', replay: null },
    ]);
    expect(hooks.requests.map((request) => [idOf(request), attemptOf(request)])).toEqual([
      [id, 1],
      [id, 2],
      [id, 3],
    ]);
    const { data: attempts } = await server.ask(`GET ${endpoint}/attempts`);
    expect(attempts).toMatchObject([
      { cause: 'retry', attempt: 3, dead: true },
      { cause: 'retry', attempt: 2, dead: false },
      { cause: 'live', attempt: 1, dead: false },
    ]);

    const failed = await server.ask(`POST ${app}/events/${id}/resend`, { endpoint: endpointId });
    expect(failed).toMatchObject({ outcome: 'unreachable', cause: 'resend', event: id, attempt: 4 });
    expect((await server.ask(`GET ${app}/dead`)).data).toHaveLength(1);
    hooks.respondWith(200);
    const resent = await server.ask(`POST ${app}/events/${id}/resend`, { endpoint: endpointId });
    expect(resent).toMatchObject({ outcome: 'delivered', cause: 'resend', attempt: 5, status: 200 });
    expect((await server.ask(`GET ${app}/dead`)).data).toEqual([]);
    expect(attemptOf(hooks.requests[4])).toBe(5);
  });

  test('that is resent while it waits for its retry is not retried any more', async () => {
    const { hooks, appId, endpointId, app, endpoint } = await setup([400, 200], { retry: { delaysSeconds: [1] } });
    const { id } = await server.publish(appId);
    await until(async () => (await server.ask(`GET ${endpoint}/attempts`)).data.length === 1);
    await server.ask(`POST ${app}/events/${id}/resend`, { endpoint: endpointId });
    // Another that fails now is due later, whatever the jitter: when it has been retried, the first would have been too.
    hooks.respondWith([400, 200]);
    await server.ask(`PATCH ${endpoint}`, { retry: { delaysSeconds: [1.3] } });
    const later = await server.publish(appId);
    await until(() => idsAt(hooks).filter((one) => one === later.id).length === 2);
    expect(idsAt(hooks).filter((one) => one === id)).toHaveLength(2);
  });

  test('is not resent while the endpoint is paused', async () => {
    const { appId, endpointId, app, endpoint } = await setup();
    const { id } = await server.publish(appId);
    await server.ask(`POST ${endpoint}/pause`);
    const answer = await server.call(`POST ${app}/events/${id}/resend`, { endpoint: endpointId });
    expect(answer).toMatchObject({ status: 409, body: { code: 'endpoint_paused' } });
  });

  test('that is poison closes no endpoint', async () => {
    const poison = (request: ReceivedRequest): Answer => (idOf(request) === 'poison' ? 500 : 200);
    const { hooks, appId, endpointId, app, endpoint } = await setup(poison, {
      retry: { delaysSeconds: [0, 0, 0, 0, 0, 0, 0] },
    });
    await server.publish(appId, { id: 'poison' });
    const others = await Promise.all(Array.from({ length: 100 }, () => server.publish(appId)));
    await until(async () => (await server.ask(`GET ${app}/dead`)).data.length === 1);
    await server.settled(appId, endpointId);
    expect((await server.ask(`GET ${app}/dead`)).data).toMatchObject([{ event: 'poison', attempts: 8 }]);
    const received = idsAt(hooks).filter((id) => id !== 'poison');
    expect(received.sort()).toEqual(others.map(({ id }) => id).sort());
    expect((await server.ask(`GET ${endpoint}/status`)).breaker.state).toBe('closed');
    expect(await server.operations(endpointId)).toEqual([]);
  });
});

describe('an endpoint that is down', () => {
  test('is probed, and has every event when it is back', async () => {
    const { hooks, appId, endpointId, app, endpoint } = await setup(500, { retry: { delaysSeconds: [0.2, 0.2] } });
    const events = Array.from({ length: 40 }, (_, data) => ({ type: 'a.b', data }));
    const published = await server.ask(`POST ${app}/events/batch`, { events });
    await until(async () => (await server.ask(`GET ${endpoint}/status`)).breaker.state === 'open');
    expect((await server.ask(`GET ${endpoint}/status`)).reason).toMatch(/cannot be reached/);
    await until(async () => (await server.operations(endpointId)).length === 1);
    const failedSoFar = hooks.requests.length;
    const delivered: string[] = [];
    hooks.respondWith((request) => {
      delivered.push(idOf(request));
      return 200;
    });
    await until(() => delivered.length === 40);
    await server.settled(appId, endpointId);
    expect(delivered.sort()).toEqual(published.events.map(({ id }: { id: string }) => id).sort());
    expect((await server.ask(`GET ${app}/dead`)).data).toEqual([]);
    // Nothing but the first window and single probes was sent to it while it was down.
    expect(failedSoFar).toBeLessThan(40);
    await until(async () => (await server.operations(endpointId)).length === 2);
    const operations = await server.operations(endpointId);
    expect(namesOf(operations)).toEqual(['endpoint.failing', 'endpoint.recovered']);
    expect(operations[0].data).toMatchObject({ app: appId, endpoint: endpointId, url: hooks.url });
  });

  test('is taken for down when three different events have failed, and not before', async () => {
    const { appId, endpoint } = await setup(500, { retry: { delaysSeconds: [0, 0, 0, 3600] } });
    const breaker = async (): Promise<string> => (await server.ask(`GET ${endpoint}/status`)).breaker.state;
    const attempts = async (): Promise<number> => (await server.ask(`GET ${endpoint}/attempts`)).data.length;
    for (const failed of [4, 8]) {
      await server.publish(appId);
      await until(async () => (await attempts()) === failed);
      expect(await breaker()).toBe('closed');
    }
    await server.publish(appId);
    await until(async () => (await breaker()) === 'open');
  });

  test('may ask for a pause by Retry-After, which uses up no retry', async () => {
    const throttled = { status: 429, headers: { 'retry-after': '1' } };
    const { hooks, appId, endpoint } = await setup([throttled, 200], {
      maxConcurrency: 1,
      retry: { delaysSeconds: [] },
    });
    const published: { id: string }[] = [];
    for (let n = 0; n < 5; n++) published.push(await server.publish(appId));
    let sent = 0;
    await until(async () => {
      sent = hooks.requests.length;
      return /asked to wait/.test((await server.ask(`GET ${endpoint}/status`)).reason);
    });
    expect(sent).toBeLessThanOrEqual(1);
    const attempts = async () => (await server.ask(`GET ${endpoint}/attempts`)).data;
    await until(async () => (await attempts()).length === 6);
    expect(hooks.requests).toHaveLength(6);
    expect(new Set(idsAt(hooks))).toEqual(new Set(published.map(({ id }) => id)));
    const data = await attempts();
    const [first, second] = data.reverse();
    expect(first).toMatchObject({ outcome: 'throttled', reason: 'status_429', dead: false });
    expect(Date.parse(second.startedAt) - Date.parse(first.startedAt)).toBeGreaterThanOrEqual(1000);
  });

  test('is disabled by 410, and resumed by hand', async () => {
    const { hooks, appId, endpointId, endpoint } = await setup(410, { retry: { delaysSeconds: Array(10).fill(0.01) } });
    await server.publish(appId);
    await until(async () => {
      const { state, inFlight } = await server.ask(`GET ${endpoint}/status`);
      return state === 'disabled' && inFlight === 0;
    });
    expect(await server.ask(`GET ${endpoint}`)).toMatchObject({ disabledReason: 'gone', pausedAt: null });
    await until(async () => (await server.operations(endpointId)).length === 1);
    expect(await server.operations(endpointId)).toMatchObject([
      { type: 'endpoint.disabled', data: { app: appId, reason: 'gone', url: hooks.url } },
    ]);
    const sent = hooks.requests.length;
    hooks.respondWith(200);
    const barrier = await aReceiver();
    await server.anEndpoint(appId, { url: barrier.url });
    for (let n = 0; n < 3; n++) await server.publish(appId);
    await barrier.request(3);
    expect(hooks.requests).toHaveLength(sent);
    await server.ask(`POST ${endpoint}/resume`);
    await server.settled(appId, endpointId);
    await until(() => hooks.requests.length === sent + 4);
    expect(new Set(idsAt(hooks)).size).toBe(4);
    expect(await server.ask(`GET ${endpoint}`)).toMatchObject({ state: 'active', disabledReason: null });
  });

  test('is not followed to where it redirects', async () => {
    const other = await aReceiver();
    const { appId, app, endpoint } = await setup(
      { status: 307, headers: { location: other.url }, body: 'over there' },
      { retry: { delaysSeconds: [] } },
    );
    await server.publish(appId);
    await until(async () => (await server.ask(`GET ${app}/dead`)).data.length === 1);
    const [attempt] = (await server.ask(`GET ${endpoint}/attempts`)).data;
    expect(attempt).toMatchObject({ outcome: 'rejected', reason: 'redirect', status: 307, responseBody: 'over there' });
    expect(attempt.responseHead).toContain(`location: ${other.url}`);
    expect(other.requests).toEqual([]);
  });
});

describe('a paused endpoint', () => {
  test('is sent nothing, and then all from its cursor, or nothing from before the head', async () => {
    const { hooks, appId, endpointId, endpoint } = await setup();
    const active = await aReceiver();
    await server.anEndpoint(appId, { url: active.url });
    const publishWhilePaused = async (count: number): Promise<string[]> => {
      const before = { paused: hooks.requests.length, active: active.requests.length };
      await server.ask(`POST ${endpoint}/pause`);
      await until(async () => (await server.ask(`GET ${endpoint}`)).state === 'paused');
      const ids: string[] = [];
      for (let n = 0; n < count; n++) ids.push((await server.publish(appId)).id);
      await active.request(before.active + count);
      const status = await server.ask(`GET ${endpoint}/status`);
      expect(status).toMatchObject({ state: 'paused', lag: { events: count }, reason: 'The endpoint was paused.' });
      expect(hooks.requests).toHaveLength(before.paused);
      return ids;
    };

    const kept = await publishWhilePaused(5);
    await server.ask(`POST ${endpoint}/resume`, { from: 'cursor' });
    await server.settled(appId, endpointId);
    expect(idsAt(hooks).sort()).toEqual(kept.sort());

    await publishWhilePaused(3);
    await server.ask(`POST ${endpoint}/resume`, { from: 'head' });
    const next = await server.publish(appId);
    await server.settled(appId, endpointId);
    expect(idsAt(hooks).slice(5)).toEqual([next.id]);
  });

  test('is sent a test event, which is in no log', async () => {
    const { hooks, appId, app, endpoint } = await setup();
    await server.ask(`POST ${endpoint}/pause`);
    const attempt = await server.ask(`POST ${endpoint}/test`);
    expect(attempt).toMatchObject({ outcome: 'delivered', cause: 'test', position: null, status: 200 });
    expect(JSON.parse(hooks.requests[0].body.toString())).toMatchObject({ type: 'tidings.test' });
    expect(idOf(hooks.requests[0])).toBe(attempt.event);
    expect((await server.ask(`GET ${app}/events`)).events).toEqual([]);
    expect((await server.call(`GET ${app}/events/${attempt.event}`)).status).toBe(404);
    expect((await server.ask(`GET ${endpoint}/attempts`)).data).toEqual([attempt]);
    expect(appId).toBe(app.slice('/v1/apps/'.length));
  });
});

describe('signatures', () => {
  const aSecret = (byte: number): string => `whsec_${Buffer.alloc(32, byte).toString('base64')}`;

  function verifies(secret: string, { body, headers }: ReceivedRequest): boolean {
    const verdicts = [new Webhook(secret), new SvixWebhook(secret)].map((webhook) => {
      try {
        webhook.verify(body, headers as Record<string, string>);
        return true;
      } catch {
        return false;
      }
    });
    expect(verdicts[0]).toBe(verdicts[1]);
    return verdicts[0];
  }

  test('are made with both secrets during the grace of a rotation, and with the new one without', async () => {
    const [first, second, third] = [aSecret(1), aSecret(2), aSecret(3)];
    const { hooks, appId, endpoint } = await setup(200, { secret: first });
    const next = async (): Promise<boolean[]> => {
      await server.publish(appId);
      const request = await hooks.request(hooks.requests.length + 1);
      return [first, second, third].map((secret) => verifies(secret, request));
    };
    expect(await next()).toEqual([true, false, false]);
    const rotated = await server.ask(`POST ${endpoint}/secret/rotate`, { secret: second, graceSeconds: 3600 });
    expect(rotated).toMatchObject({ secret: second, expiring: [{ secret: first }] });
    expect(await next()).toEqual([true, true, false]);
    await server.ask(`POST ${endpoint}/secret/rotate`, { secret: third, graceSeconds: 0 });
    expect(await next()).toEqual([false, false, true]);
  });

  test('of v1a verify with the public key', async () => {
    const { hooks, appId, endpoint } = await setup(200, { signing: 'v1a' });
    const { publicKey } = await server.ask(`GET ${endpoint}/secret`);
    await server.publish(appId, { data: 'caf\u00e9' });
    const { headers, body } = await hooks.request(1);
    const raw = Buffer.from(publicKey.slice('whpk_'.length), 'base64');
    const key = createPublicKey({
      key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]),
      format: 'der',
      type: 'spki',
    });
    const [version, signature] = String(headers['webhook-signature']).split(',');
    const signed = Buffer.concat([Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`), body]);
    expect(version).toBe('v1a');
    expect(verify(null, signed, key, Buffer.from(signature, 'base64'))).toBe(true);
    signed[signed.length - 2] ^= 1;
    expect(verify(null, signed, key, Buffer.from(signature, 'base64'))).toBe(false);
  });
});

describe('the list of attempts', () => {
  test('tells what came back', async () => {
    const binary = Buffer.from([0x6e, 0x6f, 0xff, 0x00]);
    const answers: Answer[] = [
      { status: 200, headers: { 'x-answer': 'yes' }, body: 'thanks' },
      { status: 404, headers: { 'x-answer': 'no' }, body: binary },
      { status: 500, body: 'x'.repeat(20_000) },
      { status: 503, headers: { 'retry-after': '0' } },
      'reset',
      'garbage',
      200,
    ];
    const expected = [
      { outcome: 'delivered', reason: 'delivered', status: 200, responseBody: null },
      { outcome: 'rejected', reason: 'status_4xx', status: 404, responseBodyBase64: binary.toString('base64') },
      { outcome: 'unreachable', reason: 'status_5xx', status: 500, responseBody: 'x'.repeat(16 * 1024) },
      { outcome: 'throttled', reason: 'status_503_retry_after', status: 503 },
      { outcome: 'unreachable', reason: 'connection_reset', status: null, responseHead: null, responseBody: null },
      { outcome: 'unreachable', reason: 'protocol_error', status: null },
    ];
    const { appId, endpointId, app, endpoint } = await setup(answers, {
      maxConcurrency: 1,
      retry: { delaysSeconds: [] },
    });
    const published: { id: string }[] = [];
    for (const [n] of expected.entries()) {
      published.push(await server.publish(appId));
      await until(async () => (await server.ask(`GET ${endpoint}/attempts`)).data.length > n);
    }
    await server.settled(appId, endpointId);
    const { data } = await server.ask(`GET ${endpoint}/attempts`);
    const attempts = data.filter(({ cause }: { cause: string }) => cause === 'live').reverse();
    expect(attempts).toMatchObject(expected);
    for (const [n, attempt] of attempts.entries()) {
      expect(attempt).toMatchObject({ event: published[n].id, position: n + 1, attempt: 1, endpoint: endpointId });
      const { connectUs, firstByteUs, totalUs } = attempt.timings;
      if (attempt.status !== null) {
        expect(firstByteUs).toBeGreaterThan(connectUs ?? 0);
        expect(totalUs).toBeGreaterThanOrEqual(firstByteUs);
        expect(attempt.remoteAddress).toMatch(/^127\.0\.0\.1/);
        expect(attempt.responseHead).toMatch(new RegExp(`^HTTP/1.1 ${attempt.status} `));
      } else {
        expect(attempt.error).toMatch(/127\.0\.0\.1/);
      }
    }
    expect(attempts[0].timings.connectUs).toBeGreaterThan(0);
    expect(attempts[0].responseHead).toContain('x-answer: yes');

    const newestFirst = await server.ask(`GET ${app}/attempts`);
    expect(newestFirst.data.map(({ id }: { id: string }) => id).sort()).toEqual(
      data.map(({ id }: { id: string }) => id).sort(),
    );
    const ofOne = await server.ask(`GET ${app}/events/${published[1].id}/attempts`);
    expect(ofOne.data).toEqual([attempts[1]]);
    const rejected = await server.ask(`GET ${endpoint}/attempts?outcome=rejected`);
    expect(rejected.data).toEqual([attempts[1]]);
  });

  test('tells of a receiver that is not there', async () => {
    const { hooks, appId, endpoint } = await setup(200, { retry: { delaysSeconds: [] } });
    await hooks.close();
    receivers.splice(receivers.indexOf(hooks), 1);
    await server.publish(appId);
    await until(async () => (await server.ask(`GET ${endpoint}/attempts`)).data.length === 1);
    const [attempt] = (await server.ask(`GET ${endpoint}/attempts`)).data;
    expect(attempt).toMatchObject({ outcome: 'unreachable', reason: 'connection_refused', status: null, dead: true });
  });
});
