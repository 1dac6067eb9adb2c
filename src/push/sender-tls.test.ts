import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Authority, createAuthority } from '../../test/certificates.ts';
import { type Receiver, type ReceiverOptions, receiver } from '../../test/receiver.ts';
import type { SendResult } from '../core/outcome.ts';
import { parseTarget, type Target } from '../net/address-guard.ts';
import { Sender, type SenderParts } from './sender.ts';

const RULES = { allowHttp: true, allowPrivate: ['127.0.0.0/8', '::1/128'] };
const RESOLVER = { resolve: async () => ['127.0.0.1'] };

let authority: Authority;
beforeAll(() => {
  authority = createAuthority();
});
afterAll(() => authority.remove());

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function setup(names: string[], parts: Partial<SenderParts> = {}, options: ReceiverOptions = {}) {
  const hooks: Receiver = await receiver({ ...options, tls: { ...authority.issue(names), ...options.tls } });
  const sender = new Sender({ rules: RULES, ca: [authority.ca], resolver: RESOLVER, ...parts });
  await sender.start();
  closers.push(
    () => hooks.close(),
    () => sender.stop(),
  );
  const send = (host: string): Promise<SendResult> =>
    new Promise((resolve) => {
      const target = parseTarget(`https://${host}:${hooks.port}/`, RULES);
      sender.send({ target, headers: {}, body: Buffer.from('x'), timeoutMs: 5000 }, resolve);
    });
  return { hooks, sender, send };
}

describe('sender over TLS', () => {
  test('delivers where the certificate is good for the name', async () => {
    const { hooks, send } = await setup(['DNS:hooks.test']);
    const { outcome, timings, error, remoteAddress } = await send('hooks.test');
    expect({ outcome, error, remoteAddress }).toEqual({
      outcome: 'delivered',
      error: null,
      remoteAddress: '127.0.0.1',
    });
    expect(timings.dnsUs).toBeGreaterThanOrEqual(0);
    expect(timings.connectUs).toBeGreaterThanOrEqual(timings.dnsUs!);
    expect(timings.tlsUs).toBeGreaterThan(timings.connectUs!);
    expect(timings.firstByteUs).toBeGreaterThanOrEqual(timings.tlsUs!);
    const [socket] = hooks.sockets as Set<TLSSocket & { servername: string }>;
    expect(socket.servername).toBe('hooks.test');
    expect(socket.alpnProtocol).toBe('http/1.1');
    expect((await send('hooks.test')).timings.tlsUs).toBeNull();
    expect((await send('hooks.test.')).outcome).toBe('delivered');
  });

  test('delivers to an address that the certificate names', async () => {
    const { send } = await setup(['IP:127.0.0.1']);
    expect(await send('127.0.0.1')).toMatchObject({ outcome: 'delivered', error: null });
  });

  test.each([
    ['of another name', ['DNS:other.test'], 'hooks.test', "Hostname/IP does not match certificate's altnames"],
    ['of no address', ['DNS:hooks.test'], '127.0.0.1', "Hostname/IP does not match certificate's altnames"],
  ])('refuses a certificate %s', async (_, names, host, reason) => {
    const { hooks, sender, send } = await setup(names);
    const result = await send(host);
    expect(result).toMatchObject({ outcome: 'unreachable', reason: 'tls_failed', status: null });
    expect(result.error).toContain(reason);
    expect(hooks.requests).toEqual([]);
    expect(sender.connections.open).toBe(0);
  });

  test('refuses a certificate of an authority that it does not know', async () => {
    const { hooks, send } = await setup(['DNS:hooks.test'], { ca: [] });
    expect(await send('hooks.test')).toMatchObject({
      reason: 'tls_failed',
      error: expect.stringContaining('certificate'),
    });
    expect(hooks.requests).toEqual([]);
  });

  test('verifies even where NODE_TLS_REJECT_UNAUTHORIZED=0', async () => {
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    try {
      const { send } = await setup(['DNS:hooks.test'], { ca: [] });
      expect(await send('hooks.test')).toMatchObject({ reason: 'tls_failed' });
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    }
  });

  test('reports a receiver that speaks no TLS, and one that speaks too old a version', async () => {
    const plain = await receiver();
    closers.push(() => plain.close());
    const { sender, send } = await setup(
      ['DNS:hooks.test'],
      {},
      { tls: { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' } },
    );
    expect(await send('hooks.test')).toMatchObject({ outcome: 'unreachable', reason: 'tls_failed' });
    const target = parseTarget(`https://hooks.test:${plain.port}/`, RULES);
    const result = await new Promise((resolve) => {
      sender.send({ target, headers: {}, body: Buffer.from('x'), timeoutMs: 5000 }, resolve);
    });
    expect(result).toMatchObject({ outcome: 'unreachable', reason: 'tls_failed' });
  });

  test('resumes the session on the next connection', async () => {
    const { hooks, send } = await setup(['DNS:hooks.test'], {}, { keepAlive: false });
    expect((await send('hooks.test')).outcome).toBe('delivered');
    await Promise.all([...hooks.sockets].map((socket) => once(socket, 'close')));
    const reused = new Promise((resolve) => {
      hooks.respondWith(() => {
        const [socket] = hooks.sockets as Set<TLSSocket>;
        resolve(socket.isSessionReused());
        return 200;
      });
    });
    expect((await send('hooks.test')).outcome).toBe('delivered');
    expect(await reused).toBe(true);
  });
});

describe('sender with a client certificate', () => {
  const asker = { requestCert: true, rejectUnauthorized: true };

  async function withClients() {
    const clients = ['one', 'two'].map((name) => ({ name, ...authority.issue([`DNS:${name}.test`], name) }));
    const at = await setup(['DNS:hooks.test'], {}, { tls: { ...asker, ca: authority.ca } });
    const base = parseTarget(`https://hooks.test:${at.hooks.port}/`, RULES);
    const post = (target: Target): Promise<SendResult> =>
      new Promise((resolve) => {
        at.sender.send({ target, headers: {}, body: Buffer.from('x'), timeoutMs: 5000 }, resolve);
      });
    const targets = clients.map(({ name, cert, key }) => ({
      ...base,
      pool: `${base.origin} ${name}`,
      identity: { certificate: cert, key, ca: null },
    }));
    return { ...at, base, targets, post };
  }
  const peers = (sockets: Iterable<unknown>): string[] =>
    [...(sockets as Iterable<TLSSocket>)].map((socket) => String(socket.getPeerCertificate().subject.CN)).sort();

  test('shows it, each endpoint its own on connections of its own', async () => {
    const { hooks, targets, post } = await withClients();
    for (const target of [...targets, ...targets]) expect(await post(target)).toMatchObject({ outcome: 'delivered' });
    expect(hooks.accepted).toBe(2);
    expect(peers(hooks.sockets)).toEqual(['one', 'two']);
  });

  test('resumes no session of another', async () => {
    const { hooks, targets, base, post } = await withClients();
    const seen: string[] = [];
    hooks.respondWith(() => {
      seen.push(...peers(hooks.sockets));
      return { status: 200, headers: { connection: 'close' } };
    });
    for (const target of [targets[0], targets[1], targets[0], targets[1]]) {
      expect((await post(target)).outcome).toBe('delivered');
      await Promise.all([...hooks.sockets].map((socket) => once(socket, 'close')));
    }
    expect(seen).toEqual(['one', 'two', 'one', 'two']);
    expect(await post(base)).toMatchObject({ outcome: 'unreachable' });
  });

  test('that TLS does not take is a failure like any other', async () => {
    const { targets, post, hooks } = await withClients();
    const identity = { ...targets[0].identity, key: 'none' };
    const result = await post({ ...targets[0], pool: 'broken', identity });
    expect(result).toMatchObject({ outcome: 'unreachable', reason: 'tls_failed' });
    expect(result.error).toContain('client certificate');
    expect(hooks.requests).toEqual([]);
  });

  test('reaches nobody who asks for one that it does not have', async () => {
    const { hooks, base, post } = await withClients();
    expect(await post(base)).toMatchObject({ outcome: 'unreachable', status: null });
    expect(hooks.requests).toEqual([]);
  });

  test('trusts the authorities that came with it instead of the public ones', async () => {
    const { targets, sender, hooks } = await withClients();
    const plain = new Sender({ rules: RULES, resolver: RESOLVER });
    await plain.start();
    closers.push(() => plain.stop());
    const { identity, ...target } = targets[0];
    const post = (ca: string | null): Promise<SendResult> =>
      new Promise((resolve) => {
        const sent = { ...target, pool: `${target.pool} ${ca}`, identity: { ...identity, ca } };
        plain.send({ target: sent, headers: {}, body: Buffer.from('x'), timeoutMs: 5000 }, resolve);
      });
    expect(await post(authority.ca)).toMatchObject({ outcome: 'delivered' });
    expect(await post(null)).toMatchObject({ reason: 'tls_failed' });
    expect(await post(createOther())).toMatchObject({ reason: 'tls_failed' });
    expect([hooks.requests.length, sender.inFlight]).toEqual([1, 0]);
  });
});

function createOther(): string {
  const other = createAuthority();
  other.remove();
  return other.ca;
}
