// Credentials from end to end: each reaches its endpoint, and nothing else tells of it.
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Authority, createAuthority } from './certificates.ts';
import { type Receiver, type ReceiverOptions, receiver } from './receiver.ts';
import { type Running, running } from './running.ts';
import { until } from './until.ts';

let server: Running;
let authority: Authority;
const receivers: Receiver[] = [];
beforeAll(async () => {
  authority = createAuthority();
  server = await running();
});
afterEach(async () => {
  await Promise.all(receivers.splice(0).map((hooks) => hooks.close()));
});
afterAll(async () => {
  await server.close();
  authority.remove();
});

async function aReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const hooks = await receiver(options);
  receivers.push(hooks);
  return hooks;
}

const attemptsOf = async (appId: string, endpointId: string) =>
  (await server.ask(`GET /v1/apps/${appId}/endpoints/${endpointId}/attempts`)).data;

/** All that is stored, but what is sealed, as text. */
async function stored(): Promise<string> {
  const { db } = server.database;
  const tables = await db.query<{ name: string }>({
    name: 'test_tables',
    text: `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind = 'r'`,
  });
  const texts: string[] = [];
  for (const { name } of tables) {
    const rows = await db.query<{ row: string }>({
      name: `test_${name}`,
      text: `SELECT t::text AS row FROM ${name} t`,
    });
    for (const { row } of rows) {
      texts.push(row, ...[...row.matchAll(/\\x([0-9a-f]+)/g)].map(([, hex]) => Buffer.from(hex, 'hex').toString()));
    }
  }
  return texts.join('\n');
}

describe('an endpoint with a credential', () => {
  const SECRET = 'hush-hush-hush';
  const BASIC = Buffer.from(`tidings:${SECRET}`).toString('base64');

  test.each([
    [{ type: 'basic', username: 'tidings', password: SECRET }, 'authorization', `Basic ${BASIC}`],
    [{ type: 'bearer', token: SECRET }, 'authorization', `Bearer ${SECRET}`],
    [{ type: 'header', name: 'X-Api-Key', value: SECRET }, 'x-api-key', SECRET],
  ])('is sent it as %j, and nothing else has it', async (auth, name, value) => {
    const hooks = await aReceiver();
    // As frameworks do in development: the request is part of the error.
    hooks.respondWith(({ headers }) => ({
      status: 400,
      headers: { 'x-seen': String(headers[name]) },
      body: JSON.stringify({ headers, decoded: SECRET }),
    }));
    const appId = await server.anApp();
    const { cursor } = await server.publish(appId);
    const members = { url: hooks.url, auth, retry: { delaysSeconds: [] } };
    const endpointId = await server.anEndpoint(appId, members);
    await server.publish(appId);
    const { headers } = await hooks.request(1);
    expect(headers[name]).toBe(value);
    await until(async () => (await attemptsOf(appId, endpointId)).length === 1);
    const [attempt] = await attemptsOf(appId, endpointId);
    expect(attempt).toMatchObject({ outcome: 'rejected', status: 400 });
    const endpoint = `/v1/apps/${appId}/endpoints/${endpointId}`;
    await server.ask(`POST ${endpoint}/test`);
    const told = await Promise.all(
      [
        `${endpoint}`,
        `${endpoint}/attempts`,
        `${endpoint}/status`,
        `${endpoint}/events?after=${cursor}&signatures=true`,
        `/v1/apps/${appId}/events`,
        '/v1/apps/app_tidings/events',
      ].map(async (path) => JSON.stringify(await server.ask(`GET ${path}`))),
    );
    const all = `${told.join('\n')}\n${await stored()}`;
    expect(all).toContain(endpointId);
    expect(all).toContain('[credential]');
    expect(all).toContain('webhook-signature');
    expect(all).not.toContain(SECRET);
    expect(all).not.toContain(BASIC);
  });

  test('that is another after a change is sent the new one from the next event on', async () => {
    const hooks = await aReceiver();
    const appId = await server.anApp();
    const id = await server.anEndpoint(appId, { url: hooks.url, auth: { type: 'bearer', token: 'first-token' } });
    for (const [i, auth] of [undefined, { type: 'bearer', token: 'second-token' }, null].entries()) {
      if (auth !== undefined) await server.ask(`PATCH /v1/apps/${appId}/endpoints/${id}`, { auth });
      await server.publish(appId);
      await hooks.request(i + 1);
    }
    const sent = hooks.requests.map(({ headers }) => headers.authorization);
    expect(sent).toEqual(['Bearer first-token', 'Bearer second-token', undefined]);
  });
});

describe('an endpoint with OAuth2', () => {
  const SECRET = 'hush-hush-hush';

  async function setup() {
    const [hooks, tokens] = [await aReceiver(), await aReceiver()];
    let issued = 0;
    tokens.respondWith(() => ({
      status: 200,
      body: JSON.stringify({ access_token: `access-token-${++issued}`, token_type: 'Bearer', expires_in: 3600 }),
    }));
    const appId = await server.anApp();
    const tokenUrl = `${tokens.url}/token`;
    const auth = { type: 'oauth2', tokenUrl, clientId: 'tidings', clientSecret: SECRET };
    const members = { url: hooks.url, auth, retry: { delaysSeconds: [0.05, 0.05, 0.05] } };
    const endpointId = await server.anEndpoint(appId, members);
    return { hooks, tokens, appId, endpointId };
  }

  test('is sent all of a flood, and tests, with the token of one fetch', async () => {
    const { hooks, tokens, appId, endpointId } = await setup();
    const events = Array.from({ length: 200 }, () => ({ type: 'a.b', data: {} }));
    await server.ask(`POST /v1/apps/${appId}/events/batch`, { events });
    await server.settled(appId, endpointId);
    await server.ask(`POST /v1/apps/${appId}/endpoints/${endpointId}/test`);
    expect(hooks.requests).toHaveLength(201);
    expect(new Set(hooks.requests.map(({ headers }) => headers.authorization))).toEqual(
      new Set(['Bearer access-token-1']),
    );
    expect(tokens.requests).toHaveLength(1);
    expect(await stored()).not.toMatch(/hush-hush|access-token-/);
  });

  test('fails an attempt for want of a token, says why, and goes on when there is one', async () => {
    const { hooks, tokens, appId, endpointId } = await setup();
    tokens.respondWith([{ status: 401, body: '{"error":"invalid_client"}' }, granted]);
    await server.publish(appId);
    await hooks.request(1);
    await until(async () => (await attemptsOf(appId, endpointId)).length === 2);
    const attempts = await attemptsOf(appId, endpointId);
    const failed = attempts.find(({ outcome }: { outcome: string }) => outcome !== 'delivered');
    expect(failed).toMatchObject({ outcome: 'unreachable', reason: 'auth_failed', status: null });
    expect(failed.error).toMatch(/The token endpoint .+\/token answered 401 invalid_client\./);
  });
  const granted = { status: 200, body: '{"access_token":"another","token_type":"Bearer"}' };
});

describe('an endpoint with a client certificate', () => {
  test('shows it to a server that asks for one, on connections that no other endpoint has', async () => {
    const tls = { ...authority.issue(['IP:127.0.0.1']), ca: authority.ca, requestCert: true, rejectUnauthorized: true };
    const hooks = await aReceiver({ tls });
    const appId = await server.anApp();
    const seen = new Set<string>();
    hooks.respondWith(({ path, connection }) => {
      for (const socket of hooks.sockets as Set<TLSSocket>) seen.add(String(socket.getPeerCertificate().subject.CN));
      seen.add(`${path} ${connection}`);
      return 200;
    });
    const ids: string[] = [];
    for (const name of ['one', 'two']) {
      const { cert: certificate, key } = authority.issue([`DNS:${name}.test`], name);
      const auth = { type: 'mtls', certificate, key, ca: authority.ca };
      const answer = await server.ask(`POST /v1/apps/${appId}/endpoints`, { url: `${hooks.url}/${name}`, auth });
      expect(answer.auth).toMatchObject({ type: 'mtls', subject: `CN=${name}`, ownAuthorities: true });
      expect(JSON.stringify(answer)).not.toContain('PRIVATE KEY');
      ids.push(answer.id);
    }
    for (let i = 0; i < 3; i++) {
      await server.publish(appId);
      for (const id of ids) await server.settled(appId, id);
    }
    expect(hooks.requests).toHaveLength(6);
    expect(hooks.accepted).toBe(2);
    expect([...seen].filter((text) => !text.startsWith('/')).sort()).toEqual(['one', 'two']);
    expect([...seen].filter((text) => text.startsWith('/'))).toHaveLength(2);
    expect(await stored()).not.toContain('PRIVATE KEY');

    // Without a certificate, and with one, but no trust in the server's.
    const { cert: certificate, key } = authority.issue(['DNS:three.test'], 'three');
    for (const auth of [null, { type: 'mtls', certificate, key }]) {
      const id = await server.anEndpoint(appId, { url: hooks.url, auth });
      const { outcome } = await server.ask(`POST /v1/apps/${appId}/endpoints/${id}/test`);
      expect(outcome).toBe('unreachable');
    }
    expect(hooks.requests).toHaveLength(6);
  });

  test('has to be called over https', async () => {
    const { cert: certificate, key } = authority.issue(['DNS:one.test']);
    const appId = await server.anApp();
    const members = { url: 'http://127.0.0.1:9/', auth: { type: 'mtls', certificate, key } };
    const { status, body } = await server.call(`POST /v1/apps/${appId}/endpoints`, members);
    expect([status, body.errors[0].path]).toEqual([400, '/url']);
  });
});
