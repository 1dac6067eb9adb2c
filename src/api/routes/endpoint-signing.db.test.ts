import { createHash, generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../../test/app.ts';
import { createAuthority } from '../../../test/certificates.ts';
import { loadCredentials } from '../../storage/endpoint-credentials.ts';

const OWN = 'a secret of our own choice';

let app: TestApp;
let appId: string;
beforeAll(async () => {
  app = await testApp();
  appId = await app.anApp({ uid: 'acme' });
});
afterAll(() => app.close());

const create = (members: object, headers = {}) =>
  app.call(`POST /v1/apps/${appId}/endpoints`, { body: { url: 'https://example.com/hook', ...members }, headers });
const patch = (ref: string, body: object) => app.call(`PATCH /v1/apps/${appId}/endpoints/${ref}`, { body });
const secretOf = (ref: string) => app.call(`GET /v1/apps/acme/endpoints/${ref}/secret`);
const rotate = (ref: string, body: object = {}) =>
  app.call(`POST /v1/apps/acme/endpoints/${ref}/secret/rotate`, { body });

describe('signing API', () => {
  test.each<[unknown, object, RegExp]>([
    ['v1a', {}, /^whsk_/],
    [{ scheme: 'github' }, { scheme: 'github' }, /^[0-9a-f]{64}$/],
    [{ scheme: 'stripe' }, { scheme: 'stripe', header: 'stripe-signature' }, /^whsec_/],
    [
      { scheme: 'hmac', header: 'X-Sig', secretEncoding: 'base64' },
      {
        scheme: 'hmac',
        header: 'x-sig',
        algorithm: 'sha256',
        encoding: 'hex',
        prefix: '',
        content: '{body}',
        secretEncoding: 'base64',
        timestampUnit: 'seconds',
        timestampHeader: null,
        idHeader: null,
        separator: null,
      },
      /=$/,
    ],
    [
      { scheme: 'rfc9421', algorithm: 'ed25519' },
      { scheme: 'rfc9421', algorithm: 'ed25519', digest: 'sha-256', keyId: null, tag: null },
      /^-----BEGIN PRIVATE KEY-----/,
    ],
  ])('takes %j with a secret of its form', async (signing, shown, pattern) => {
    const { status, body } = await create({ signing });
    expect(status).toBe(201);
    if (typeof signing === 'string') expect(body.signing).toBe(signing);
    else expect(body.signing).toMatchObject(shown);
    expect((await patch(body.id, { signing: body.signing })).body.signing).toEqual(body.signing);
    const secret = (await secretOf(body.id)).body;
    expect(secret.secret).toMatch(pattern);
    const isMessage = (signing as { scheme?: string }).scheme === 'rfc9421';
    if (isMessage)
      expect(secret).toMatchObject({ publicKey: expect.stringMatching(/BEGIN PUBLIC/), keyId: expect.any(String) });
    else expect(secret.keyId).toBeNull();
  });

  test('takes an own secret in the form of the scheme, and no other', async () => {
    const { body } = await create({ signing: { scheme: 'github' }, secret: OWN });
    expect((await secretOf(body.id)).body.secret).toBe(OWN);
    for (const [signing, secret] of [
      ['v1', OWN],
      [{ scheme: 'github' }, 'short'],
      [{ scheme: 'rfc9421' }, OWN],
      ['none', OWN],
    ]) {
      const refused = await create({ signing, secret });
      expect(refused.status).toBe(400);
      expect(refused.body.errors[0].path).toBe('/secret');
      expect(refused.text).not.toContain(OWN);
    }
  });

  test('says what is wrong, and where', async () => {
    for (const [signing, path, words] of [
      ['v2', '/signing', /"v1"\|"v1a"\|"none"; or: .*expected object/],
      [7, '/signing', /"v1"\|"v1a"\|"none"; or: .*expected object/],
      [{}, '/signing/scheme', /'github' \| 'stripe' \| 'hmac' \| 'rfc9421'/],
      [{ scheme: 'git' }, '/signing/scheme', /'github' \| 'stripe' \| 'hmac' \| 'rfc9421'/],
      [{ scheme: 'github', header: 'x' }, '/signing/header', /not known here/],
      [{ scheme: 'hmac', algorithm: 'md5' }, '/signing/algorithm', /"sha256"/],
      [{ scheme: 'hmac', content: '{timestamp}' }, '/signing/content', /\{body\}/],
      [{ scheme: 'rfc9421', components: ['@method'] }, '/signing/components', /content-digest/],
    ] as const) {
      const { status, body } = await create({ signing });
      expect(status).toBe(400);
      expect(body.errors).toHaveLength(1);
      expect(body.errors[0].path).toBe(path);
      expect(body.errors[0].message).toMatch(words);
    }
  });

  test('rotates with a grace where a request can carry both signatures', async () => {
    const { id } = (await create({ signing: { scheme: 'stripe' } })).body;
    const before = (await secretOf(id)).body;
    const { body } = await rotate(id);
    expect(body.expiring).toEqual([
      { secret: before.secret, keyId: null, createdAt: before.createdAt, expiresAt: expect.any(String) },
    ]);
    expect(body.secret).not.toBe(before.secret);
  });

  test('rotates without one where it can carry but one', async () => {
    for (const signing of [{ scheme: 'github' }, { scheme: 'hmac' }]) {
      const { id } = (await create({ signing })).body;
      const refused = await rotate(id, { graceSeconds: 60 });
      expect(refused.body.errors).toEqual([
        { path: '/graceSeconds', message: expect.stringContaining('one signature') },
      ]);
      expect((await rotate(id, { secret: OWN })).body).toMatchObject({ secret: OWN, expiring: [] });
    }
  });

  test('has no secret with none', async () => {
    const { id, signing } = (await create({ signing: 'none' })).body;
    expect(signing).toBe('none');
    expect((await secretOf(id)).body.code).toBe('conflict');
    expect((await rotate(id)).body.code).toBe('conflict');
  });

  test('keeps the secret when the new scheme takes it, else makes another', async () => {
    const { id } = (await create({ signing: { scheme: 'github' }, secret: OWN })).body;
    const now = async (change: object): Promise<string> => {
      const { status, text } = await patch(id, change);
      expect(status, text).toBe(200);
      return (await secretOf(id)).body.secret;
    };
    expect(await now({ signing: { scheme: 'hmac', header: 'x-other' } })).toBe(OWN);
    expect(await now({ description: 'Other' })).toBe(OWN);
    expect(await now({ signing: null })).toMatch(/^whsec_/);
    expect(await now({ signing: { scheme: 'stripe' }, secret: OWN })).toBe(OWN);
    expect((await patch(id, { signing: 'none' })).body.signing).toBe('none');
    expect(await now({ signing: 'v1a' })).toMatch(/^whsk_/);
    expect((await patch(id, { secret: OWN })).body.errors[0].path).toBe('/secret');
    expect((await patch(id, { signing: 'v1a', secret: OWN })).body.errors[0].path).toBe('/secret');
  });

  test('holds a change of headers to what is signed', async () => {
    const components = ['content-digest', 'x-own'];
    const { id } = (await create({ headers: { 'X-Own': '1' }, signing: { scheme: 'rfc9421', components } })).body;
    expect((await patch(id, { headers: {} })).body.errors[0].path).toBe('/signing/components/1');
    expect((await patch(id, { headers: {}, signing: 'v1' })).status).toBe(200);
  });

  test('holds a change of format to what is signed, and to the credential', async () => {
    const format = { name: 'cloudevents', mode: 'binary' };
    const signing = { scheme: 'rfc9421', components: ['content-digest', 'ce-type', 'ce-id'] };
    const { id } = (await create({ format, signing })).body;
    expect((await patch(id, { format: 'raw' })).body.errors[0].path).toBe('/signing/components/1');
    expect((await patch(id, { format: 'raw', signing: 'v1' })).status).toBe(200);
    const auth = { type: 'header', name: 'CE-Id', value: 'mine' };
    expect((await patch(id, { auth })).status).toBe(200);
    expect((await patch(id, { format })).body.errors[0].path).toBe('/auth');
  });

  test('reads the log with Standard Webhooks signatures only', async () => {
    await create({ uid: 'gh', signing: { scheme: 'github' } });
    const { body } = await app.call('GET /v1/apps/acme/events?signatures=gh');
    expect(body.code).toBe('conflict');
    expect(body.detail).toContain('/endpoints/gh/events?signatures=true');
  });

  test('takes an Ed25519 key as openssl makes it', async () => {
    const pem = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' });
    const { body } = await create({ signing: { scheme: 'rfc9421', algorithm: 'ed25519', keyId: 'k1' }, secret: pem });
    expect((await secretOf(body.id)).body).toMatchObject({ secret: pem, keyId: 'k1' });
  });
});

const rows = (text: string): Promise<Record<string, unknown>[]> => app.db.query({ name: text.slice(0, 60), text });

describe('auth API', () => {
  const credentialOf = async (id: string) =>
    (await loadCredentials(app.db, app.box, appId, [id])).get(id)?.credential ?? null;
  const OAUTH2 = { type: 'oauth2', tokenUrl: 'https://auth.example.com/token', clientId: 'me', clientSecret: 'hush' };

  test.each([
    [{ type: 'basic', username: 'hush', password: 'hush' }, { type: 'basic' }],
    [{ type: 'bearer', token: 'hush' }, { type: 'bearer' }],
    [
      { type: 'header', name: 'X-Key', value: 'hush' },
      { type: 'header', name: 'x-key' },
    ],
    [
      { ...OAUTH2, scope: 'a b' },
      {
        type: 'oauth2',
        tokenUrl: OAUTH2.tokenUrl,
        clientId: 'me',
        scope: 'a b',
        audience: null,
        clientAuthentication: 'basic',
      },
    ],
  ])('takes %j, and never shows what is secret', async (auth, shown) => {
    const created = await create({ auth });
    expect(created.body.auth).toEqual(shown);
    const { id } = created.body;
    const answers = [
      created,
      await app.call(`GET /v1/apps/acme/endpoints/${id}`),
      await app.call('GET /v1/apps/acme/endpoints'),
    ];
    expect(answers.map(({ text }) => text).join('')).not.toContain('hush');
    const [{ config }] = await rows('SELECT config FROM endpoints ORDER BY endpoint_id DESC LIMIT 1');
    expect(JSON.stringify(config)).not.toContain('hush');
    expect(config).toMatchObject({ auth: shown });
    expect(JSON.stringify(await credentialOf(id))).toMatch(/hush|aHVzaDpodXNo/);
  });

  test('stays, is replaced, or goes with a change', async () => {
    const { id } = (await create({ auth: { type: 'bearer', token: 'first' } })).body;
    expect((await patch(id, { description: 'x' })).body.auth).toEqual({ type: 'bearer' });
    expect(await credentialOf(id)).toEqual({ type: 'headers', headers: { authorization: 'Bearer first' } });
    expect((await patch(id, { auth: OAUTH2 })).body.auth.type).toBe('oauth2');
    expect(await credentialOf(id)).toEqual({ type: 'oauth2', clientSecret: 'hush' });
    expect((await patch(id, { auth: null })).body.auth).toBeNull();
    expect(await credentialOf(id)).toBeNull();
  });

  test('goes along when the endpoint is asked for its consent, given or stored', async () => {
    const format = { name: 'cloudevents', handshake: { origin: 'events.example.com' } };
    const { id } = (await create({ format, auth: { type: 'bearer', token: 'first' } })).body;
    await patch(id, { url: 'https://example.com/other' });
    await patch(id, { url: 'https://example.com/third', auth: { type: 'bearer', token: 'second' } });
    await patch(id, { url: 'https://example.com/fourth', auth: null });
    const sent = app.engine.asked.slice(-4).map(({ credential }) => credential?.stored.credential ?? null);
    expect(sent).toEqual([
      { type: 'headers', headers: { authorization: 'Bearer first' } },
      { type: 'headers', headers: { authorization: 'Bearer first' } },
      { type: 'headers', headers: { authorization: 'Bearer second' } },
      null,
    ]);
    expect(app.engine.asked.at(-4)?.credential).toMatchObject({ endpointId: id, auth: { type: 'bearer' } });
  });

  test('is made once under an idempotency key', async () => {
    const headers = { 'idempotency-key': 'with-auth' };
    const first = await create({ auth: { type: 'bearer', token: 'one' } }, headers);
    expect((await create({ auth: { type: 'bearer', token: 'one' } }, headers)).body.id).toBe(first.body.id);
    expect((await create({ auth: { type: 'bearer', token: 'two' } }, headers)).body.code).toBe('idempotency_conflict');
  });

  test('leaves nothing in the database by which a secret could be guessed', async () => {
    const body = { url: 'https://example.com/hook', auth: { type: 'basic', username: 'me', password: 'hush' } };
    await app.call(`POST /v1/apps/${appId}/endpoints`, { body, headers: { 'idempotency-key': 'guess' } });
    const [{ body_hash }] = await rows("SELECT body_hash FROM idempotency_keys WHERE key LIKE '%guess'");
    expect(body_hash).not.toEqual(createHash('sha256').update(JSON.stringify(body)).digest());
  });

  test('goes with its app', async () => {
    const gone = await app.anApp({});
    const members = { url: 'https://example.com/hook', auth: { type: 'bearer', token: 'hush' } };
    const { body } = await app.call(`POST /v1/apps/${gone}/endpoints`, { body: members });
    expect((await loadCredentials(app.db, app.box, gone, [body.id])).size).toBe(1);
    await app.call(`DELETE /v1/apps/${gone}`);
    expect((await loadCredentials(app.db, app.box, gone)).size).toBe(0);
  });

  test('takes a client certificate that TLS takes, and no other', async () => {
    const authority = createAuthority();
    const [good, weak] = [undefined, ['-newkey', 'rsa:512', '-nodes']].map((newKey) =>
      authority.issue(['DNS:client.test'], 'tidings', newKey),
    );
    authority.remove();
    const { body, text } = await create({ auth: { type: 'mtls', certificate: good.cert, key: good.key } });
    expect(body.auth).toMatchObject({ type: 'mtls', subject: 'CN=tidings', ownAuthorities: false });
    expect(text).not.toContain('BEGIN');
    expect(await credentialOf(body.id)).toMatchObject({ type: 'mtls', key: good.key });
    const refused = await create({ auth: { type: 'mtls', certificate: weak.cert, key: weak.key } });
    expect(refused.body.errors).toEqual([
      { path: '/auth/certificate', message: expect.stringContaining('ee key too small') },
    ]);
  });

  test('refuses what cannot be', async () => {
    const bearer = { type: 'bearer', token: 'hush' };
    for (const [members, path] of [
      [{ auth: { type: 'bearer' } }, '/auth/token'],
      [{ auth: { type: 'digest' } }, '/auth/type'],
      [{ auth: { ...bearer, more: 1 } }, '/auth/more'],
      [{ auth: bearer, headers: { Authorization: 'x' } }, '/auth'],
      [{ auth: { type: 'header', name: 'x-signature', value: 'hush' }, signing: { scheme: 'hmac' } }, '/auth'],
      [{ auth: { type: 'mtls', certificate: 'none', key: 'hush' } }, '/auth/certificate'],
    ] as const) {
      const { status, body, text } = await create(members);
      expect(status).toBe(400);
      expect(body.errors[0].path).toBe(path);
      expect(text).not.toContain('hush');
    }
    const forbidden = await create({ auth: { ...OAUTH2, tokenUrl: 'https://forbidden.example.com/' } });
    expect(forbidden.body.code).toBe('address_forbidden');
    expect(forbidden.body.detail).toContain('The token URL');
    const { id } = (await create({ auth: bearer })).body;
    expect((await patch(id, { headers: { authorization: 'x' } })).body.errors[0].path).toBe('/auth');
  });
});
