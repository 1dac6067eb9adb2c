import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type Answer, type Receiver, type ReceiverOptions, receiver } from '../../test/receiver.ts';
import type { SendResult } from '../core/outcome.ts';
import { parseTarget } from '../net/address-guard.ts';
import type { SendRequest } from './exchange.ts';
import { Sender, type SenderParts } from './sender.ts';

const RULES = { allowHttp: true, allowPrivate: ['127.0.0.0/8', '::1/128'] };
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

type Send = (url?: string, request?: Partial<SendRequest>) => Promise<SendResult>;

async function aSender(parts: Partial<SenderParts> = {}): Promise<{ sender: Sender; send: Send }> {
  const sender = new Sender({ rules: RULES, ...parts });
  await sender.start();
  closers.push(() => sender.stop());
  const send: Send = (url = '', request = {}) =>
    new Promise((resolve) => {
      const target = parseTarget(url, RULES);
      const body = Buffer.from('{"type":"invoice.paid"}');
      sender.send({ target, headers: { 'webhook-id': 'evt_1' }, body, timeoutMs: 5000, ...request }, resolve);
    });
  return { sender, send };
}

async function aReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const made = await receiver(options);
  closers.push(() => made.close());
  return made;
}

async function setup(answer: Answer | Answer[] = 200, parts: Partial<SenderParts> = {}) {
  const hooks = await aReceiver();
  hooks.respondWith(answer);
  const { sender, send } = await aSender(parts);
  return { hooks, sender, send: ((url = hooks.url, request) => send(url, request)) as Send };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

describe('sender', () => {
  test('delivers the bytes and reports the response', async () => {
    const { hooks, send } = await setup({
      status: 202,
      headers: { 'X-Trace': 'ä', 'set-cookie': ['a=1', 'b=2'] },
      body: 'fine',
    });
    const body = Buffer.from([0, 255, 10, 13, 34, 128]);
    const result = await send(`${hooks.url}/in?key=a%20b#part`, {
      headers: { 'webhook-id': 'evt_1', 'x-own': 'yes' },
      body,
    });

    const [request] = hooks.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/in?key=a%20b', body });
    expect(request.headers).toEqual({
      host: `127.0.0.1:${hooks.port}`,
      connection: 'keep-alive',
      'webhook-id': 'evt_1',
      'x-own': 'yes',
      'content-length': '6',
    });
    expect(result).toMatchObject({
      outcome: 'delivered',
      reason: 'delivered',
      status: 202,
      remoteAddress: '127.0.0.1',
      responseBody: null,
      retryAfterMs: null,
      error: null,
    });
    expect(result.responseHead).toMatch(
      /^HTTP\/1.1 202 Accepted\r\nX-Trace: ä\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n/,
    );
    const { dnsUs, connectUs, tlsUs, firstByteUs, totalUs } = result.timings;
    expect([dnsUs, tlsUs]).toEqual([null, null]);
    expect(connectUs).toBeGreaterThan(0);
    expect(firstByteUs).toBeGreaterThanOrEqual(connectUs!);
    expect(totalUs).toBeGreaterThanOrEqual(firstByteUs!);
    expect(Number.isInteger(totalUs)).toBe(true);
  });

  test('takes an empty body', async () => {
    const { hooks, send } = await setup();
    const result = await send(hooks.url, { headers: { 'x-a': '1', 'x-b': '2' }, body: Buffer.alloc(0) });
    expect(result.outcome).toBe('delivered');
    expect(hooks.requests[0].headers).toMatchObject({ 'x-a': '1', 'x-b': '2', 'content-length': '0' });
  });

  test('keeps the connection for the next attempt, which has no connection timings', async () => {
    const { hooks, sender, send } = await setup();
    await send();
    expect(sender.connections).toEqual({ open: 1, idle: 1 });
    const second = await send();
    expect(hooks.requests.map(({ connection }) => connection)).toEqual([1, 1]);
    expect(second.remoteAddress).toBe('127.0.0.1');
    expect(second.timings).toMatchObject({ dnsUs: null, connectUs: null, tlsUs: null });
    expect(second.timings.firstByteUs).toBeGreaterThan(0);
  });

  test('shares the connections of one origin, and uses the one used last', async () => {
    const { hooks, sender, send } = await setup();
    await Promise.all([send(`${hooks.url}/a`), send(`${hooks.url}/b`), send(`${hooks.url}/c`)]);
    expect(sender.connections).toEqual({ open: 3, idle: 3 });
    for (let i = 0; i < 5; i++) await send(`${hooks.url}/d`);
    expect(new Set(hooks.requests.slice(3).map(({ connection }) => connection)).size).toBe(1);
  });

  test('sends from within done on the connection that has just become free', async () => {
    const { hooks, sender } = await setup();
    const target = parseTarget(hooks.url, RULES);
    const outcomes: string[] = [];
    await new Promise<void>((resolve) => {
      const sendOne = (): void => {
        sender.send({ target, headers: {}, body: Buffer.from('x'), timeoutMs: 5000 }, (result) => {
          outcomes.push(result.outcome);
          if (outcomes.length === 300) resolve();
          else sendOne();
        });
      };
      sendOne();
    });
    expect(new Set(outcomes)).toEqual(new Set(['delivered']));
    expect(hooks.accepted).toBe(1);
  });

  test('answers each of many at once exactly once', async () => {
    const { hooks, sender } = await setup((request) => Number(request.path.slice(1)), { maxIdlePerOrigin: 256 });
    const statuses = [200, 204, 301, 400, 404, 410, 429, 500, 503];
    const results = new Map<number, number[]>();
    await new Promise<void>((resolve) => {
      let open = 0;
      for (let i = 0; i < 450; i++) {
        open++;
        const target = parseTarget(`${hooks.url}/${statuses[i % statuses.length]}`, RULES);
        sender.send({ target, headers: {}, body: Buffer.from(`${i}`), timeoutMs: 20_000 }, (result) => {
          results.set(i, [...(results.get(i) ?? []), result.status ?? 0]);
          if (--open === 0) resolve();
        });
      }
      expect(sender.inFlight).toBe(450);
    });
    expect(sender.inFlight).toBe(0);
    expect([...results].every(([i, seen]) => seen.length === 1 && seen[0] === statuses[i % statuses.length])).toBe(
      true,
    );
    expect(sender.connections.idle).toBe(256);
  });

  test.each([
    [302, 'rejected', 'redirect'],
    [308, 'rejected', 'redirect'],
    [400, 'rejected', 'status_4xx'],
    [410, 'rejected', 'status_410'],
    [429, 'throttled', 'status_429'],
    [500, 'unreachable', 'status_5xx'],
    [503, 'unreachable', 'status_5xx'],
  ])('reports status %i as %s', async (status, outcome, reason) => {
    const elsewhere = await aReceiver();
    const { send } = await setup({ status, headers: { location: elsewhere.url }, body: 'because' });
    const result = await send();
    expect(result).toMatchObject({ outcome, reason, status, error: null });
    expect(result.responseBody?.toString()).toBe('because');
    expect(elsewhere.requests).toEqual([]);
  });

  test('reads Retry-After whatever the status', async () => {
    const now = (): number => Date.UTC(2026, 10, 21, 10, 0, 0);
    const { send } = await setup(
      [
        { status: 503, headers: { 'retry-after': '120' } },
        { status: 429, headers: { 'retry-after': 'Sat, 21 Nov 2026 10:00:30 GMT' } },
        { status: 404, headers: { 'retry-after': '999999' } },
        { status: 503, headers: { 'retry-after': 'soon' } },
      ],
      { now },
    );
    expect(await send()).toMatchObject({
      reason: 'status_503_retry_after',
      outcome: 'throttled',
      retryAfterMs: 120_000,
    });
    expect(await send()).toMatchObject({ reason: 'status_429', retryAfterMs: 30_000 });
    expect(await send()).toMatchObject({ reason: 'status_4xx', retryAfterMs: 86_400_000 });
    expect(await send()).toMatchObject({ reason: 'status_5xx', retryAfterMs: null });
  });

  test('records the first 16 KiB of a failure and 4 KiB of a head', async () => {
    const body = Buffer.alloc(40_000, 'abcdefg');
    const { hooks, send } = await setup({ status: 500, headers: { 'x-long': 'l'.repeat(6000) }, body });
    const result = await send();
    expect(result.responseBody).toEqual(body.subarray(0, 16 * 1024));
    expect(result.responseHead).toHaveLength(4096);
    await send();
    expect(hooks.accepted).toBe(1);
  });

  test('does not use a connection that its peer will close', async () => {
    const { hooks, sender, send } = await setup({ status: 200, headers: { 'keep-alive': 'timeout=1' } });
    await send();
    await until(() => sender.connections.open === 0);
    expect((await send()).outcome).toBe('delivered');
    expect(hooks.accepted).toBe(2);
  });

  test('does not use a connection that its peer has closed', async () => {
    const { hooks, sender, send } = await setup();
    await send();
    for (const socket of hooks.sockets) socket.destroy();
    await until(() => hooks.sockets.size === 0);
    const second = await send();
    expect(second.outcome).toBe('delivered');
    expect(second.timings.connectUs).toBeGreaterThan(0);
    expect(hooks.accepted).toBe(2);
    for (const socket of hooks.sockets) socket.end();
    await until(() => sender.connections.open === 0);
  });

  // The peer closes while the request waits for its turn on the kept connection: nothing was written, so nothing was tried.
  test.each(['destroy', 'resetAndDestroy'] as const)(
    'connects again on %s before the request is written',
    async (how) => {
      const { hooks, sender, send } = await setup();
      await send();
      await new Promise((resolve) => setImmediate(resolve));
      for (const socket of hooks.sockets) socket[how]();
      expect(sender.connections.idle).toBe(1);
      expect(await send()).toMatchObject({ outcome: 'delivered', error: null });
      expect(hooks.accepted).toBe(2);
      expect(hooks.requests).toHaveLength(2);
    },
  );

  test('serves a receiver that keeps no connection', async () => {
    const hooks = await aReceiver({ keepAlive: false });
    const { sender, send } = await aSender();
    for (let i = 1; i <= 3; i++) {
      expect((await send(hooks.url)).outcome).toBe('delivered');
      expect(hooks.accepted).toBe(i);
    }
    await until(() => sender.connections.open === 0);
  });

  test('keeps no more idle connections than told, and none for longer', async () => {
    const { sender, send } = await setup(200, { maxIdlePerOrigin: 2, keepAliveMs: 100 });
    await Promise.all([send(), send(), send(), send()]);
    expect(sender.connections.idle).toBe(2);
    await until(() => sender.connections.open === 0);
  });

  test('replaces a connection when it is old', async () => {
    const { hooks, send } = await setup(200, { maxAgeMs: 0 });
    await send();
    await send();
    expect(hooks.accepted).toBe(2);
  });

  test('refuses headers that cannot be sent, after it has returned', async () => {
    const { hooks, sender, send } = await setup();
    let returned = false;
    const target = parseTarget(hooks.url, RULES);
    const result = new Promise<[SendResult, boolean]>((resolve) => {
      const request = { target, headers: { 'x-bad': 'a\r\nb: c' }, body: Buffer.from(''), timeoutMs: 1000 };
      sender.send(request, (outcome) => resolve([outcome, returned]));
      returned = true;
    });
    expect(await result).toMatchObject([{ reason: 'internal_error', error: expect.stringContaining('x-bad') }, true]);
    expect((await send()).outcome).toBe('delivered');
    expect(hooks.requests).toHaveLength(1);
  });

  test('cancels what is in flight when it is stopped', async () => {
    const { hooks, sender, send } = await setup('hang');
    const open = [send(), send(), send()];
    await hooks.request(3);
    await sender.stop();
    for (const result of await Promise.all(open)) {
      expect(result).toMatchObject({ outcome: 'unreachable', reason: 'internal_error', status: null });
    }
    expect(sender.inFlight).toBe(0);
    expect(sender.connections).toEqual({ open: 0, idle: 0 });
    expect(await send()).toMatchObject({ reason: 'internal_error' });
    await sender.stop();
  });

  test('may be stopped before it is started', async () => {
    await new Sender({ rules: RULES }).stop();
  });
});

describe('sender with a receiver that misbehaves', () => {
  test('gives up on one that hangs, and closes the connection', async () => {
    const { hooks, sender, send } = await setup('hang');
    const result = await send(hooks.url, { timeoutMs: 200 });
    expect(result).toMatchObject({ outcome: 'unreachable', reason: 'timeout_total', status: null, responseHead: null });
    expect(result.remoteAddress).toBe('127.0.0.1');
    expect(result.error).toBe(`${hooks.url} did not answer within 200 ms.`);
    expect(result.timings.firstByteUs).toBeNull();
    expect(result.timings.totalUs).toBeGreaterThanOrEqual(200_000);
    expect(result.timings.totalUs).toBeLessThan(1_000_000);
    expect(sender.connections.open).toBe(0);
    await until(() => hooks.sockets.size === 0);
  });

  test.each([
    ['dripHead', { outcome: 'unreachable', reason: 'timeout_total', status: null }],
    ['informationalDrip', { outcome: 'unreachable', reason: 'timeout_total', status: null }],
    ['drip500', { outcome: 'unreachable', reason: 'status_5xx', status: 500, error: null }],
    ['dripBody', { outcome: 'delivered', reason: 'delivered', status: 200, responseBody: null }],
  ] as const)('ends at the deadline on %s', async (answer, expected) => {
    const { hooks, sender, send } = await setup(answer);
    const result = await send(hooks.url, { timeoutMs: 250 });
    expect(result).toMatchObject(expected);
    expect(result.timings.totalUs).toBeGreaterThanOrEqual(250_000);
    expect(result.timings.totalUs).toBeLessThan(1_500_000);
    expect(sender.connections.open).toBe(0);
    await until(() => hooks.sockets.size === 0);
  });

  test.each([
    ['reset', { outcome: 'unreachable', reason: 'connection_reset', status: null }],
    ['close', { outcome: 'unreachable', reason: 'connection_reset', status: null }],
    ['resetInHead', { outcome: 'unreachable', reason: 'connection_reset', status: null }],
    ['garbage', { outcome: 'unreachable', reason: 'protocol_error', status: null }],
    ['informationalStorm', { outcome: 'unreachable', reason: 'protocol_error', status: null }],
    ['hugeHead', { outcome: 'rejected', reason: 'too_large', status: null }],
    ['resetInBody', { outcome: 'delivered', status: 200, error: null }],
    ['badChunks', { outcome: 'delivered', status: 200 }],
    ['endless', { outcome: 'delivered', status: 200 }],
    ['endlessChunks', { outcome: 'unreachable', reason: 'status_5xx', status: 500 }],
    ['noLength', { outcome: 'delivered', status: 200 }],
    ['bodyOn204', { outcome: 'delivered', status: 204 }],
    ['bodyOn304', { outcome: 'rejected', reason: 'redirect', status: 304 }],
    ['twoResponses', { outcome: 'delivered', status: 200 }],
    ['garbageAfter', { outcome: 'delivered', status: 200 }],
  ] as const)('survives %s', async (answer, expected) => {
    const { hooks, sender, send } = await setup([answer, answer, 200]);
    // Twice, as the second one may be on a kept connection; then a good one, which must not see what is left of the others.
    for (let i = 0; i < 2; i++) {
      const result = await send();
      expect(result).toMatchObject(expected);
      if (result.status === null) expect(result.error).toMatch(/\.$/);
    }
    expect(await send()).toMatchObject({ outcome: 'delivered', status: 200 });
    expect(hooks.requests).toHaveLength(3);
    expect(hooks.requests[2].connection).toBe(3);
    await until(() => hooks.sockets.size === 1);
    expect(sender.connections).toEqual({ open: 1, idle: 1 });
  });

  test('takes little of a body of 10 GB', async () => {
    let taken = 0;
    const { hooks, send } = await setup('endless', { maxResponseBytes: 1000 });
    const pending = send();
    await hooks.request(1);
    const [socket] = hooks.sockets;
    socket.on('close', () => {
      taken = socket.bytesWritten;
    });
    await pending;
    await until(() => hooks.sockets.size === 0);
    expect(taken).toBeLessThan(32 * 1024 * 1024);
  });

  test.each(['bodyOn204', 'twoResponses', 'garbageAfter'] as const)(
    'sends the next request on a new connection when %s has ruined the one that it waits for',
    async (answer) => {
      const { hooks, sender } = await setup([answer, 200]);
      const target = parseTarget(hooks.url, RULES);
      const request = { target, headers: {}, body: Buffer.from('x'), timeoutMs: 5000 };
      const second = await new Promise<SendResult>((resolve) => {
        sender.send(request, () => sender.send(request, resolve));
      });
      expect(second).toMatchObject({ outcome: 'delivered', status: 200 });
      expect(hooks.requests.map(({ connection }) => connection)).toEqual([1, 2]);
    },
  );

  test('reports a port where nobody listens', async () => {
    const { hooks, send } = await setup();
    await hooks.close();
    const result = await send();
    expect(result).toMatchObject({
      outcome: 'unreachable',
      reason: 'connection_refused',
      status: null,
      remoteAddress: null,
    });
    expect(result.error).toBe(`127.0.0.1:${hooks.port} refused the connection (ECONNREFUSED).`);
  });

  test.each([
    ['its deadline', { timeoutMs: 200 }, {}],
    ['its time to connect', { timeoutMs: 20_000 }, { maxConnectMs: 200 }],
  ])('gives up on a handshake that hangs when %s is over', async (_, request, parts) => {
    const accepted: net.Socket[] = [];
    const deaf = net.createServer((socket) => void accepted.push(socket)).listen(0, '127.0.0.1');
    await once(deaf, 'listening');
    const { sender, send } = await aSender(parts);
    const result = await send(`https://127.0.0.1:${(deaf.address() as AddressInfo).port}`, request);
    expect(result).toMatchObject({ outcome: 'unreachable', reason: 'timeout_connect', status: null });
    expect(result.timings.totalUs).toBeLessThan(1_000_000);
    expect(sender.connections.open).toBe(0);
    for (const socket of accepted) socket.destroy();
    await new Promise((resolve) => deaf.close(resolve));
  });

  test('lets an answer take longer than a connection may', async () => {
    const answer = (): Promise<Answer> => new Promise((resolve) => setTimeout(resolve, 300, 200));
    const { send } = await setup(answer, { maxConnectMs: 100 });
    expect(await send()).toMatchObject({ outcome: 'delivered', status: 200 });
  });

  test('is told by no redirect, not even to itself', async () => {
    const { hooks, send } = await setup({ status: 307, headers: { location: '/again' } });
    expect(await send()).toMatchObject({ outcome: 'rejected', reason: 'redirect', status: 307 });
    expect(hooks.requests).toHaveLength(1);
  });
});
