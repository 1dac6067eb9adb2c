// Streams from end to end: the whole server, and the clients that its users have.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { EventSource } from 'eventsource';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { TcpProxy } from '../faults/tcp-proxy.ts';
import { startTidings, type Tidings } from '../src/app/tidings.ts';
import { uuidFromId } from '../src/core/id.ts';
import { appendEvents } from '../src/storage/append.ts';
import { anEvent } from './event-log.ts';
import { type Running, running, testConfig } from './running.ts';
import { eventSourceReader, plainReader, type StreamReader, webSocketReader } from './stream-readers.ts';
import { until } from './until.ts';

let server: Running;
/** A second process, as far as the log is concerned. */
let other: Tidings;
beforeAll(async () => {
  server = await running({ streamsPerApp: 20, streamsPerKey: 30 });
  other = await startTidings(testConfig(server.database.url), { migrate: false, graceMs: 20 });
}, 60_000);
afterAll(async () => {
  await other.stop();
  await server.close();
}, 60_000);

const open: { close(): void }[] = [];
function kept<T extends { close(): void }>(one: T): T {
  open.push(one);
  return one;
}
const readersOpen = async (): Promise<number> => {
  const text = (await server.call('GET /metrics')).bytes.toString();
  return Number(/^tidings_log_readers (\d+)$/m.exec(text)?.[1]);
};
afterEach(async () => {
  for (const one of open.splice(0)) one.close();
  await until(async () => (await readersOpen()) === 0);
});

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
const streamOf = (appId: string, url = server.url): string => `${url}/v1/apps/${appId}/stream`;
const readerOf = (appId: string, url?: string) => ({ url: () => streamOf(appId, url), apiKey: server.key });

interface Message {
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a message holds is what the tests are about
  [member: string]: any;
}

/** A WebSocket whose messages and end are kept. */
function aSocket(appId: string, { query = '', key = server.key as string | null, url = server.url } = {}) {
  const headers = key === null ? {} : { authorization: `Bearer ${key}` };
  const socket = kept(new WebSocket(`${streamOf(appId, url).replace('http', 'ws')}${query}`, 'tidings', { headers }));
  const messages: Message[] = [];
  const closed = once(socket, 'close').then(([code, reason]) => ({ code: code as number, reason: String(reason) }));
  socket.on('message', (data) => messages.push(JSON.parse(String(data))));
  socket.on('error', () => {});
  const events = () => messages.filter(({ type }) => type === 'event').map(({ event }) => event);
  const say = (message: unknown): void => socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  return { socket, messages, events, closed, say, opened: once(socket, 'open') };
}

describe('streams', () => {
  test('give each reader every event once and in order, whoever publishes and however connections end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('here', 'there', 'late', 'batch', 'cut'), { minLength: 20, maxLength: 40 }),
        async (steps) => {
          const appId = await server.anApp();
          const proxies = await Promise.all(
            [server.url, other.url].map(async (url) => {
              const proxy = new TcpProxy({ upstream: () => ({ host: '127.0.0.1', port: Number(new URL(url).port) }) });
              await proxy.start();
              return proxy;
            }),
          );
          const [here, there] = proxies.map(({ port }) => readerOf(appId, `http://127.0.0.1:${port}`));
          const readers: StreamReader[] = [
            eventSourceReader(here),
            plainReader(there),
            webSocketReader(here, { kind: 'ws', window: 3 }),
            webSocketReader(there, { kind: 'undici', window: 100 }),
          ];
          let count = 0;
          const publishing: Promise<unknown>[] = [];
          for (const step of steps) {
            if (step === 'cut') {
              for (const proxy of proxies) proxy.breakConnections();
              continue;
            }
            const size = step === 'batch' ? 50 : 1;
            count += size;
            publishing.push(publish(appId, step, size));
            if (step !== 'late') await publishing.at(-1);
          }
          await Promise.all(publishing);
          await until(() => readers.every(({ seen }) => seen.length >= count));
          for (const reader of readers) {
            expect(reader.seen).toEqual(upTo(count));
            reader.close();
          }
          await Promise.all(proxies.map((proxy) => proxy.stop()));
        },
      ),
      { numRuns: 3 },
    );
  }, 120_000);

  async function publish(appId: string, how: string, size: number): Promise<void> {
    const path = `/v1/apps/${appId}/events/batch`;
    const events = Array.from({ length: size }, () => ({ type: 'a.b', data: { how } }));
    if (how === 'late') {
      // Another process, whose commit takes its time.
      await server.database.db.transaction(async (tx) => {
        await appendEvents(tx, [{ appId, events: [anEvent()] }]);
        await tx.query({ name: 'pause', text: 'SELECT pg_sleep(0.05)' });
      });
      return;
    }
    const headers = { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' };
    const url = how === 'there' ? other.url : server.url;
    const { status } = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify({ events }) });
    expect(status).toBe(202);
  }

  test('send events as a page of the log has them, whatever line breaks are in them', async () => {
    const appId = await server.anApp();
    const data = '{\n"a": 1,\r\n"b":\r[2,\n\n3], "c": "\\n"}';
    await server.call(`POST /v1/apps/${appId}/events`, `{"type":"a.b","channels":["x"],"data":${data}}`);
    const [event] = (await server.ask(`GET /v1/apps/${appId}/events`)).events;
    const { messages } = aSource(appId);
    await until(() => messages.length === 1);
    expect([JSON.parse(messages[0].data), messages[0].lastEventId]).toEqual([event, event.cursor]);
    const { events, say, opened } = aSocket(appId);
    await opened;
    say({ type: 'grant', events: 1 });
    await until(() => events().length === 1);
    expect(events()[0]).toEqual(event);
  });

  test('begin after Last-Event-ID, else after `after`, and tell the cursor at once', async () => {
    const appId = await server.anApp();
    const cursors: string[] = [];
    for (let n = 0; n < 3; n++) cursors.push((await server.publish(appId)).cursor);
    const positions = async (query: string, headers = {}) => {
      const { text } = aRawStream(appId, query, headers);
      await until(() => text().includes('"position":3') || text().includes(`{"cursor":"${cursors[2]}"}`));
      return [...text().matchAll(/"position":(\d+)/g)].map(([, position]) => Number(position));
    };
    expect(await positions('')).toEqual([1, 2, 3]);
    expect(await positions(`?after=${cursors[0]}`)).toEqual([2, 3]);
    expect(await positions(`?after=${cursors[0]}`, { 'last-event-id': cursors[1] })).toEqual([3]);
    expect(await positions('?after=now')).toEqual([]);
    const { messages } = aSocket(appId, { query: '?after=now' });
    await until(() => messages.length === 1);
    expect(messages[0]).toEqual({ type: 'cursor', cursor: cursors[2] });
  });

  test('take types and channels as a page does', async () => {
    const appId = await server.anApp();
    const { messages } = aSource(appId, '?types=a.*&channels=x,y');
    const { events, say, opened } = aSocket(appId, { query: '?types=a.*&channels=x,y' });
    await opened;
    say({ type: 'grant', events: 100 });
    for (const [type, channel] of [
      ['a.b', 'x'],
      ['a.b', 'z'],
      ['b.a', 'x'],
      ['a.c', 'y'],
    ]) {
      await server.publish(appId, { type, channels: [channel] });
    }
    await until(() => messages.length === 2 && events().length === 2);
    expect(messages.map(({ data }) => JSON.parse(data).position)).toEqual([1, 4]);
    expect(events().map(({ position }) => position)).toEqual([1, 4]);
  });

  test('refuse in words before they begin, as a problem or as a close code', async () => {
    const appId = await server.anApp();
    const foreign = (await server.publish(await server.anApp())).cursor;
    const noEvents = (await server.ask(`GET /v1/apps/${appId}/events?after=now`)).cursor;
    // Retention is faster than whoever might have read them.
    await server.database.db.transaction(async (tx) => {
      await appendEvents(tx, [{ appId, events: [anEvent(), anEvent(), anEvent()] }]);
      await tx.query({ name: 'expire', text: 'DELETE FROM events WHERE position <= 2' });
    });
    const { cursor: ahead } = await server.publish(appId);
    const newest = await server.ask(`POST /v1/keys`, { name: 'k', scope: 'instance', permissions: ['publish'] });
    const cases: [query: string, key: string | null, status: number, code: string][] = [
      ['?after=nonsense', server.key, 400, 'invalid_cursor'],
      [`?after=${foreign}`, server.key, 400, 'invalid_cursor'],
      ['?types=', server.key, 400, 'invalid_request'],
      ['?limit=1', server.key, 400, 'invalid_request'],
      ['', null, 401, 'unauthorized'],
      ['', 'tdg_wrong', 401, 'unauthorized'],
      ['', newest.key, 403, 'forbidden'],
      [`?after=${noEvents}`, server.key, 410, 'cursor_expired'],
    ];
    for (const [query, key, status, code] of cases) {
      const answer = await server.call(`GET /v1/apps/${appId}/stream${query}`, undefined, {
        authorization: key === null ? '' : `Bearer ${key}`,
      });
      expect([query, answer.status, answer.body.code]).toEqual([query, status, code]);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      const { closed, messages } = aSocket(appId, { query, key });
      const { code: closeCode, reason } = await closed;
      expect([query, closeCode]).toEqual([query, 4000 + status]);
      expect(reason).toContain(code);
      expect(messages).toEqual([{ type: 'problem', problem: answer.body }]);
    }
    expect((await server.call('GET /v1/apps/nobody/stream')).status).toBe(404);
    expect((await aSocket('nobody').closed).code).toBe(4404);
    const restore = { name: 'restore', text: 'UPDATE heads SET last_position = last_position - 1 WHERE app_id = $1' };
    await server.database.db.query(restore, [uuidFromId('app', appId)]);
    // A process that has not heard of the log asks where it ends.
    const restored = await startTidings(testConfig(server.database.url), { migrate: false, graceMs: 20 });
    expect((await aSocket(appId, { query: `?after=${ahead}`, url: restored.url }).closed).code).toBe(4409);
    await restored.stop();
  });

  test('are refused beyond the limits, and admitted again when others are closed', async () => {
    const appId = await server.anApp();
    const sources = Array.from({ length: 20 }, () => kept(plainReader(readerOf(appId))));
    await until(() => sources.every(({ connections }) => connections === 1));
    const refused = await server.call(`GET /v1/apps/${appId}/stream`);
    expect([refused.status, refused.body.code]).toEqual([429, 'too_many_requests']);
    expect(refused.body.detail).toContain('20 streams');
    expect((await aSocket(appId).closed).code).toBe(4429);
    const anotherApp = await server.anApp();
    const sockets = Array.from({ length: 10 }, () => aSocket(anotherApp));
    await Promise.all(sockets.map(({ messages }) => until(() => messages.length > 0)));
    expect((await server.call(`GET /v1/apps/${anotherApp}/stream`)).body.detail).toContain('This key has 30 streams');
    sockets[0].socket.close();
    sources[0].close();
    await sockets[0].closed;
    const { messages } = aSocket(anotherApp);
    await until(() => messages.length > 0);
    expect(messages[0].type).toBe('cursor');
  });

  test('over WebSocket send what was granted and not more, and say what they do not take', async () => {
    const appId = await server.anApp();
    const { events, say, opened, messages } = aSocket(appId);
    await opened;
    await server.call(`POST /v1/apps/${appId}/events/batch`, {
      events: Array.from({ length: 300 }, () => ({ type: 'a.b', data: 1 })),
    });
    let granted = 0;
    for (const more of [1, 2, 100, 1, 180]) {
      granted += more;
      say({ type: 'grant', events: more });
      await until(() => events().length >= granted);
      await server.publish(appId);
      expect(events()).toHaveLength(granted);
    }
    expect(events().map(({ position }) => position)).toEqual(upTo(granted));
    expect(messages.filter(({ type }) => type !== 'event')).toHaveLength(1);
    for (const wrong of [
      '{',
      'null',
      '[]',
      '{"type":"grant","events":0}',
      '{"type":"grant","events":1.5}',
      '{"type":"?"}',
    ]) {
      const one = aSocket(appId);
      await one.opened;
      one.say(wrong);
      const { code, reason } = await one.closed;
      expect([wrong, code]).toEqual([wrong, 4400]);
      expect(reason).toContain('invalid_request');
    }
    const large = aSocket(appId);
    await large.opened;
    large.say(' '.repeat(5000));
    expect((await large.closed).code).toBe(1009);
  });

  test('over WebSocket commit for a consumer what it acknowledges, and go on from there', async () => {
    const appId = await server.anApp();
    await server.ask(`PUT /v1/apps/${appId}/consumers/books`, { filter: { types: ['a.*'] }, start: 'oldest' });
    const committed = async () => (await server.ask(`GET /v1/apps/${appId}/consumers/books`)).cursor;
    for (const type of ['a.b', 'c.d', 'a.c', 'a.d']) await server.publish(appId, { type });
    const first = aSocket(appId, { query: '?consumer=books' });
    await first.opened;
    first.say({ type: 'grant', events: 10 });
    await until(() => first.events().length === 3);
    const [one, two, three] = first.events().map(({ cursor }) => cursor);
    for (const cursor of [one, two, one]) first.say({ type: 'ack', cursor });
    await until(() => first.messages.some(({ type, cursor }) => type === 'acked' && cursor === two));
    expect(await committed()).toBe(two);
    first.socket.close();
    const second = aSocket(appId, { query: '?consumer=books' });
    await second.opened;
    second.say({ type: 'grant', events: 10 });
    await until(() => second.events().length === 1);
    expect(second.events()[0].cursor).toBe(three);

    await server.ask(`POST /v1/apps/${appId}/consumers/books/lease`, { max: 1 });
    second.say({ type: 'ack', cursor: three });
    const leased = await second.closed;
    expect([leased.code, leased.reason]).toEqual([4409, expect.stringContaining('consumer_leased')]);
    const cases: [query: string, code: number][] = [
      ['?consumer=nobody', 4404],
      ['?consumer=books&types=a.b', 4400],
      ['?consumer=books&consumer=books', 4400],
    ];
    for (const [query, code] of cases)
      expect([query, (await aSocket(appId, { query }).closed).code]).toEqual([query, code]);
    const bare = aSocket(appId);
    await bare.opened;
    bare.say({ type: 'ack', cursor: one });
    expect(await bare.closed).toMatchObject({ code: 4400, reason: expect.stringContaining('?consumer=name') });
    const foreign = aSocket(appId, { query: '?consumer=books' });
    await foreign.opened;
    foreign.say({ type: 'ack', cursor: (await server.publish(await server.anApp())).cursor });
    expect((await foreign.closed).reason).toContain('invalid_cursor');
    const plain = await server.call(`GET /v1/apps/${appId}/stream?consumer=books`);
    expect([plain.status, plain.body.errors[0].path]).toEqual([400, '/consumer']);
  });

  test('hold little for a reader that stops reading, and lose nothing of what it missed', async () => {
    const appId = await server.anApp();
    const accepted: Socket[] = [];
    const onAccepted = (message: unknown): void => void accepted.push((message as { socket: Socket }).socket);
    subscribe('net.server.socket', onAccepted);
    const slow = aRawStream(appId, '', {});
    await until(() => slow.text().includes('event: cursor'));
    const upgraded = aSocket(appId);
    await upgraded.opened;
    upgraded.say({ type: 'grant', events: 1_000_000 });
    unsubscribe('net.server.socket', onAccepted);
    slow.socket.pause();
    upgraded.socket.pause();
    const data = 'x'.repeat(20_000);
    let most = 0;
    for (let batch = 0; batch < 20; batch++) {
      await server.call(`POST /v1/apps/${appId}/events/batch`, {
        events: Array.from({ length: 50 }, () => ({ type: 'a.b', data })),
      });
      for (const { writableLength } of accepted) most = Math.max(most, writableLength);
    }
    await until(() => accepted.filter(({ writableLength }) => writableLength > 0).length === 2);
    expect(most).toBeLessThan(1_000_000);
    slow.socket.resume();
    upgraded.socket.resume();
    const seen = () => [...slow.text().matchAll(/"position":(\d+)/g)].map(([, position]) => Number(position));
    await until(() => slow.text().includes('"position":1000,') && events(upgraded).length === 1000);
    expect(seen()).toEqual(upTo(1000));
    expect(events(upgraded)).toEqual(upTo(1000));
  }, 60_000);

  const events = (one: ReturnType<typeof aSocket>): number[] => one.events().map(({ position }) => position);

  test('give signs of life, and end for a reader that gives none or may read no longer', async () => {
    const [appId, deletedId] = [await server.anApp(), await server.anApp()];
    const keyOf = (more: object) => ({ name: 'k', scope: 'instance', permissions: ['read'], ...more });
    const lost = await server.ask('POST /v1/keys', keyOf({}));
    const expiresAt = new Date(Date.now() + 3000).toISOString();
    const expired = await server.ask('POST /v1/keys', keyOf({ expiresAt }));
    const idle = aRawStream(appId, '?types=none', {});
    const silent = aSocket(appId, { query: '?after=now' });
    const sourceLost = aRawStream(appId, '', { authorization: `Bearer ${lost.key}` });
    const socketExpired = aSocket(appId, { key: expired.key });
    const socketDeleted = aSocket(deletedId);
    await Promise.all([socketExpired, socketDeleted, silent].map(({ opened }) => opened));
    await until(() => sourceLost.text().includes('event: cursor'));
    // A reader that vanished: its socket stands, but nothing comes from it any more.
    silent.socket.pause();
    const { cursor } = await server.publish(appId);
    expect((await server.call(`DELETE /v1/keys/${lost.id}`)).status).toBe(204);
    expect((await server.call(`DELETE /v1/apps/${deletedId}`)).status).toBe(204);

    await until(() => sourceLost.isEnded());
    expect(sourceLost.text()).toMatch(/event: problem\ndata: \{.*"code":"unauthorized"/);
    expect((await socketExpired.closed).code).toBe(4401);
    expect((await socketDeleted.closed).code).toBe(4404);
    // Its filter let nothing through, but it is told how far the log is.
    await until(() => idle.text().includes(`event: cursor\nid: ${cursor}\n`));
    await until(() => idle.text().includes('\n\n:\n\n'));
    await until(async () => (await readersOpen()) === 1);
    silent.socket.resume();
    expect((await silent.closed).code).toBe(1006);
  }, 90_000);

  test('end in order when the server goes', async () => {
    const going = await running();
    const appId = await going.anApp();
    const socket = new WebSocket(`${streamOf(appId, going.url).replace('http', 'ws')}`, [
      'tidings',
      `bearer.${going.key}`,
    ]);
    const [opened, closed] = [once(socket, 'open'), once(socket, 'close')];
    const response = await fetch(streamOf(appId, going.url), { headers: { authorization: `Bearer ${going.key}` } });
    const stuck = aRawStream(appId, '', { authorization: `Bearer ${going.key}` }, going.url);
    await until(() => stuck.text().includes('event: cursor'));
    stuck.socket.pause();
    await opened;
    await going.publish(appId);
    const stopped = going.close();
    expect(await response.text()).toContain('"position":1');
    expect((await closed)[0]).toBe(1001);
    await stopped;
  });

  /** EventSource of the `eventsource` package, message by message. */
  function aSource(appId: string, query = '') {
    const messages: { data: string; lastEventId: string }[] = [];
    const source = new EventSource(streamOf(appId) + query, {
      fetch: (input, init) =>
        fetch(input, { ...init, headers: { ...init.headers, authorization: `Bearer ${server.key}` } }),
    });
    source.onmessage = (message) => void messages.push(message);
    kept(source);
    return { messages };
  }

  /** A connection with a stream on it, byte for byte. */
  function aRawStream(appId: string, query: string, headers: Record<string, string>, url = server.url) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    const parts: string[] = [];
    let isEnded = false;
    socket.setEncoding('utf8').on('data', (text) => parts.push(String(text)));
    socket
      .on('error', () => {})
      .on('end', () => {
        isEnded = true;
      });
    const lines = Object.entries({ host: 'test', authorization: `Bearer ${server.key}`, ...headers });
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    socket.write(`GET /v1/apps/${appId}/stream${query} HTTP/1.1\r\n${head}\r\n`);
    kept({ close: () => void socket.destroy() });
    return { socket, text: () => parts.join(''), isEnded: () => isEnded };
  }
});
