// One installation whose processes do different things.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startTidings, type Tidings } from '../src/app/tidings.ts';
import { type Receiver, receiver } from './receiver.ts';
import { type Running, running, testConfig } from './running.ts';
import { until } from './until.ts';

let front: Running;
let hooks: Receiver;
const others: Tidings[] = [];
beforeEach(async () => {
  [front, hooks] = await Promise.all([running({ roles: ['api'] }), receiver()]);
});
afterEach(async () => {
  for (const server of others.splice(0)) await server.stop();
  await front.close();
  await hooks.close();
});

async function another(roles: ('api' | 'push' | 'inbound')[]): Promise<Tidings> {
  const server = await startTidings(testConfig(front.database.url, { roles }), { migrate: false, graceMs: 200 });
  others.push(server);
  return server;
}

async function readiness(url: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, body: await response.json() };
}

describe('roles', () => {
  test('api takes events, and push delivers them', async () => {
    const appId = await front.anApp();
    await front.anEndpoint(appId, { url: hooks.url });
    const { id } = await front.publish(appId);
    expect(await front.ask('GET /readyz')).toEqual({ ok: true, checks: { database: 'ok', lease: 'ok' } });
    expect(hooks.requests).toHaveLength(0);

    const back = await another(['push']);
    expect((await hooks.request(1)).headers['webhook-id']).toBe(id);
    const later = await front.publish(appId);
    expect((await hooks.request(2)).headers['webhook-id']).toBe(later.id);
    expect(await readiness(back.url)).toEqual({
      status: 200,
      body: { ok: true, checks: { database: 'ok', lease: 'ok', slots: '256 held' } },
    });
  });

  test('a process without api answers for its health only', async () => {
    const { url } = await another(['push', 'inbound']);
    const headers = { authorization: `Bearer ${front.key}` };
    for (const path of ['/v1/apps', '/docs', '/openapi.json']) {
      const answer = await fetch(url + path, { headers });
      expect(answer.status, path).toBe(404);
      expect(await answer.json()).toMatchObject({ detail: expect.stringMatching(/runs without the role api/) });
    }
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain(`tidings_process_pid ${process.pid}\n`);
  });

  test('a process that stops is not ready at once, and still answers for a moment', async () => {
    const server = await another(['push']);
    const stopped = server.stop();
    const { status, body } = await readiness(server.url);
    expect(status).toBe(503);
    expect(body).toMatchObject({ ok: false, checks: { database: 'ok', process: 'is stopping' } });
    await stopped;
    await until(() =>
      readiness(server.url).then(
        () => false,
        () => true,
      ),
    );
  });
});
