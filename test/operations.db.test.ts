// Operational events of whole servers: told as settings ask, and in time. How they follow from what lanes do is tried in delivery.db.test.ts.
import { afterEach, expect, test } from 'vitest';
import type { Config } from '../src/app/config.ts';
import { type Receiver, receiver } from './receiver.ts';
import { type Running, running } from './running.ts';
import { until } from './until.ts';

let server: Running;
let hooks: Receiver;
afterEach(async () => {
  await server.close();
  await hooks.close();
});

async function setup(options: Partial<Config>, members: object) {
  server = await running(options);
  hooks = await receiver();
  const appId = await server.anApp();
  return { appId, endpointId: await server.anEndpoint(appId, { url: hooks.url, ...members }) };
}

test('an endpoint is told to lag when its oldest event has waited for long, once', async () => {
  const { appId, endpointId } = await setup({ lagAlertSeconds: 1 }, { maxConcurrency: 1, timeoutMs: 4000 });
  hooks.respondWith('hang');
  for (let n = 0; n < 3; n++) await server.publish(appId);
  await until(async () => (await server.operations(endpointId)).length === 1);
  const [{ type, data }] = await server.operations(endpointId);
  expect(type).toBe('endpoint.lagging');
  expect(data).toMatchObject({ app: appId, url: hooks.url, positions: 3, expiresAt: null });
  hooks.respondWith(200);
  await server.settled(appId, endpointId);
  expect(await server.operations(endpointId)).toHaveLength(1);
});

test('an endpoint that is back before it is told to fail is told of in no way', async () => {
  const { appId, endpointId } = await setup({ failingAlertSeconds: 60 }, { retry: { delaysSeconds: [0.2, 0.2, 0.2] } });
  hooks.respondWith(500);
  const status = `GET /v1/apps/${appId}/endpoints/${endpointId}/status`;
  for (let n = 0; n < 5; n++) await server.publish(appId);
  await until(async () => (await server.ask(status)).breaker.state === 'open');
  hooks.respondWith(200);
  await until(async () => (await server.ask(status)).breaker.state !== 'open');
  await server.stop();
  await server.start(); // what waited to be told is told on a stop
  expect(await server.operations(endpointId)).toEqual([]);
});

test('an outage that outlasts a restart is told of once, and its end too', async () => {
  const { appId, endpointId } = await setup({ failingAlertSeconds: 2 }, { retry: { delaysSeconds: [0.2, 0.2, 0.2] } });
  hooks.respondWith(500);
  const status = `GET /v1/apps/${appId}/endpoints/${endpointId}/status`;
  for (let n = 0; n < 5; n++) await server.publish(appId);
  await until(async () => (await server.ask(status)).breaker.state === 'open');
  await server.stop();
  await server.start();
  await until(async () => (await server.operations(endpointId)).length === 1);
  await server.stop();
  await server.start();
  await until(async () => (await server.ask(status)).breaker.state === 'open');
  hooks.respondWith(200);
  await until(async () => (await server.operations(endpointId)).length >= 2);
  expect((await server.operations(endpointId)).map(({ type }) => type)).toEqual([
    'endpoint.failing',
    'endpoint.recovered',
  ]);
});
