// Publishing from end to end: HTTP in, the log, HTTP out to a receiver that verifies with the official libraries.
import { once } from 'node:events';
import { connect } from 'node:net';
import pg from 'pg';
import { Webhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DATA_VALUES, REFUSED_BODIES } from './byte-corpus.ts';
import { type ReceivedRequest, type Receiver, receiver } from './receiver.ts';
import { type Running, running } from './running.ts';
import { until } from './until.ts';

const TIME = '2026-01-02T03:04:05.678Z';
const MIB = 1024 * 1024;

let server: Running;
let hooks: Receiver;
beforeAll(async () => {
  [server, hooks] = await Promise.all([running({ writerQueueBytes: 4 * MIB }), receiver()]);
});
afterAll(async () => {
  await server.close();
  await hooks.close();
});

/** An app with an endpoint at the receiver, at a path of its own. */
async function setup() {
  const appId = await server.anApp();
  const endpointId = await server.anEndpoint(appId, { url: `${hooks.url}/${appId}` });
  const { secret } = await server.ask(`GET /v1/apps/${appId}/endpoints/${endpointId}/secret`);
  const received = (): ReceivedRequest[] => hooks.requests.filter(({ path }) => path === `/${appId}`);
  return { appId, endpointId, secret, received, events: `POST /v1/apps/${appId}/events` };
}

/** Every event of the log, by pages. */
async function readLog(appId: string): Promise<{ id: string; position: number }[]> {
  const events: { id: string; position: number }[] = [];
  for (let after = ''; ; ) {
    const page = await server.ask(`GET /v1/apps/${appId}/events?limit=1000${after}`);
    events.push(...page.events);
    if (page.done) return events;
    after = `&after=${page.cursor}`;
  }
}

const idOf = ({ headers }: ReceivedRequest): string => String(headers['webhook-id']);
const envelope = (type: string, data: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`{"type":"${type}","timestamp":"${TIME}","data":`), data, Buffer.from('}')]);

describe('data', () => {
  test('arrives byte for byte, alone and in a batch, and is read so from the log', async () => {
    const { appId, endpointId, secret, received, events } = await setup();
    const input = (type: string, data: Buffer): Buffer =>
      Buffer.concat([Buffer.from(`{"time":"${TIME}","data" :\n `), data, Buffer.from(`\t,"type":"${type}"}`)]);
    const published = new Map<string, { type: string; bytes: Buffer }>();
    for (const { bytes } of DATA_VALUES) {
      const { id } = await server.ask(events, input('alone', bytes));
      published.set(id, { type: 'alone', bytes });
    }
    const inputs = DATA_VALUES.flatMap(({ bytes }) => [Buffer.from(','), input('in.a.batch', bytes)]);
    const batch = Buffer.concat([Buffer.from('{"events":['), ...inputs.slice(1), Buffer.from(']}')]);
    const answer = await server.ask(`${events}/batch`, batch);
    DATA_VALUES.forEach(({ bytes }, i) => {
      published.set(answer.events[i].id, { type: 'in.a.batch', bytes });
    });

    await server.settled(appId, endpointId);
    expect(received()).toHaveLength(published.size);
    const [standard, svix] = [new Webhook(secret), new SvixWebhook(secret)];
    for (const { headers, body } of received()) {
      const { type, bytes } = published.get(String(headers['webhook-id']))!;
      expect(body.equals(envelope(type, bytes)), `${type} ${bytes.subarray(0, 100)}`).toBe(true);
      standard.verify(body, headers as Record<string, string>);
      svix.verify(body, headers as Record<string, string>);
    }

    const singles: Buffer[] = [];
    for (const [id, { bytes }] of published) {
      const single = (await server.call(`GET /v1/apps/${appId}/events/${id}`)).bytes;
      expect(single.subarray(single.indexOf('"data":') + '"data":'.length, -1).equals(bytes)).toBe(true);
      singles.push(Buffer.from(','), single);
    }
    const page = (await server.call(`GET /v1/apps/${appId}/events?limit=1000`)).bytes;
    const listed = Buffer.concat([Buffer.from('{"events":['), ...singles.slice(1), Buffer.from('],"cursor":')]);
    expect(page.subarray(0, listed.length).equals(listed)).toBe(true);
  });

  test('that is no JSON is refused, and nothing of the request is stored', async () => {
    const { appId, events } = await setup();
    for (const { name, bytes } of REFUSED_BODIES) {
      const event = Buffer.concat([Buffer.from('{"id":"refused","type":"a.b","data":'), bytes, Buffer.from('}')]);
      const batch = Buffer.concat([
        Buffer.from('{"events":[{"id":"good","type":"a","data":1},'),
        event,
        Buffer.from(']}'),
      ]);
      for (const [route, body] of [
        [events, bytes],
        [events, event],
        [`${events}/batch`, batch],
      ] as const) {
        const answer = await server.call(route, body);
        expect(answer, `${route} ${name}`).toMatchObject({ status: 400, body: { code: 'invalid_json' } });
      }
    }
    expect(await readLog(appId)).toEqual([]);
    expect(await server.publish(appId, { id: 'good' })).toMatchObject({ position: 1, duplicate: false });
    expect(await server.publish(appId, { id: 'refused' })).toMatchObject({ position: 2, duplicate: false });
  });
});

describe('a body of more than 1 MiB', () => {
  const sized = (bytes: number): string => {
    const head = '{"type":"a.b","data":"';
    return `${head}${'x'.repeat(bytes - head.length - 2)}"}`;
  };

  test('is refused with 413, and one of exactly that size is delivered', async () => {
    const { appId, endpointId, received, events } = await setup();
    expect(await server.call(events, sized(MIB + 1))).toMatchObject({
      status: 413,
      body: { code: 'payload_too_large' },
    });
    const large = `{"events":[{"type":"a","data":1},{"type":"a","data":"${'x'.repeat(MIB)}"}]}`;
    expect(await server.call(`${events}/batch`, large)).toMatchObject({
      status: 413,
      body: { errors: [{ path: '/events/1/data' }] },
    });
    expect(await readLog(appId)).toEqual([]);
    expect((await server.call(events, sized(MIB))).status).toBe(202);
    await server.settled(appId, endpointId);
    expect(received()).toHaveLength(1);
  });

  test('is refused although it does not say its length', async () => {
    const { appId, events } = await setup();
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from(sized(2 * MIB)));
        controller.close();
      },
    });
    const response = await fetch(`${server.url}${events.split(' ')[1]}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' },
      body,
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(413);
    expect(await readLog(appId)).toEqual([]);
  });
});

describe('publishing the same', () => {
  test.each([
    ['Idempotency-Key', { 'idempotency-key': 'order 1' }, { type: 'a.b', data: [1] }],
    ['event id', {}, { id: 'order_1', type: 'a.b', data: [1] }],
  ])('%s fifty times at once gives one event', async (_, headers, body) => {
    const { appId, endpointId, received, events } = await setup();
    const answers = await Promise.all(Array.from({ length: 50 }, () => server.ask(events, body, headers)));
    expect(new Set(answers.map(({ id, position, cursor }) => `${id} ${position} ${cursor}`)).size).toBe(1);
    expect(answers.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    const other = await server.call(events, { ...body, data: [2] }, headers);
    expect(other).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } });
    expect(await readLog(appId)).toHaveLength(1);
    await server.settled(appId, endpointId);
    expect(received()).toHaveLength(1);
  });

  test('ids in batches that overlap, raced, gives each event once', async () => {
    const { appId, endpointId, received, events } = await setup();
    const batches = Array.from({ length: 20 }, (_, n) =>
      Array.from({ length: 10 }, (_, i) => ({ id: `event_${n + i}`, type: 'a.b', data: n + i })),
    );
    const answers = await Promise.all(batches.map((batch) => server.ask(`${events}/batch`, { events: batch })));
    const places = new Map<string, number>();
    answers.forEach((answer, n) => {
      expect(answer.events.map(({ id }: { id: string }) => id)).toEqual(batches[n].map(({ id }) => id));
      for (const { id, position } of answer.events) {
        expect(places.get(id) ?? position).toBe(position);
        places.set(id, position);
      }
    });
    const log = await readLog(appId);
    expect(log).toHaveLength(29);
    for (const { id, position } of log) expect(places.get(id)).toBe(position);
    await server.settled(appId, endpointId);
    expect(received().map(idOf).sort()).toEqual([...places.keys()].sort());
  });
});

describe('a publisher that vanishes', () => {
  /** Sends so much of the request and destroys the connection without waiting for an answer. */
  async function publishAndVanish(appId: string, id: string, share: number): Promise<void> {
    const body = JSON.stringify({ id, type: 'a.b', data: 'x'.repeat(2000) });
    const { hostname, port } = new URL(server.url);
    const head = [
      `POST /v1/apps/${appId}/events HTTP/1.1`,
      `host: ${hostname}`,
      `authorization: Bearer ${server.key}`,
      'content-type: application/json',
      `content-length: ${body.length}`,
    ].join('\r\n');
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    await new Promise((resolve) => socket.write(`${head}\r\n\r\n${body.slice(0, body.length * share)}`, resolve));
    socket.destroy();
  }

  test('leaves its event stored once or not at all', async () => {
    const { appId, endpointId, received } = await setup();
    const whole = Array.from({ length: 40 }, (_, i) => `whole_${i}`);
    const broken = Array.from({ length: 20 }, (_, i) => `broken_${i}`);
    await Promise.all([
      ...whole.map((id) => publishAndVanish(appId, id, 1)),
      ...broken.map((id) => publishAndVanish(appId, id, 0.5)),
    ]);
    expect(await server.publish(appId, { id: 'after' })).toMatchObject({ duplicate: false });
    // Who vanished publishes again, as it does not know.
    const event = { type: 'a.b', data: 'x'.repeat(2000) };
    await Promise.all(whole.map((id) => server.publish(appId, { id, ...event })));
    const log = await readLog(appId);
    expect(log.map(({ id }) => id).sort()).toEqual([...whole, 'after'].sort());
    expect(log.map(({ position }) => position)).toEqual(log.map((_, i) => i + 1));
    await server.settled(appId, endpointId);
    expect(received().map(idOf).sort()).toEqual([...whole, 'after'].sort());
  });
});

describe('a full writer queue', () => {
  test('answers 503 with Retry-After, and loses nothing that was acknowledged', async () => {
    const { appId, endpointId, received } = await setup();
    const holder = new pg.Client(server.database.connection);
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query('LOCK TABLE heads IN ACCESS EXCLUSIVE MODE');

    const acknowledged: string[] = [];
    const refused: { status: number; retryAfter: string | null; code: string }[] = [];
    const publish = async (n: number): Promise<void> => {
      const event = { id: `event_${n}`, type: 'a.b', data: 'x'.repeat(200_000) };
      const { status, body, headers } = await server.call(`POST /v1/apps/${appId}/events`, event);
      if (status === 202) acknowledged.push(body.id);
      else refused.push({ status, retryAfter: headers.get('retry-after'), code: body.code });
    };
    const publishers = Array.from({ length: 40 }, (_, n) => publish(n));
    await until(() => refused.length > 0);
    expect(acknowledged).toEqual([]);
    await holder.query('COMMIT');
    await holder.end();
    await Promise.all(publishers);

    for (const answer of refused) expect(answer).toEqual({ status: 503, retryAfter: '1', code: 'overloaded' });
    expect(acknowledged.length).toBeGreaterThan(10);
    expect(acknowledged.length + refused.length).toBe(40);
    expect((await readLog(appId)).map(({ id }) => id).sort()).toEqual(acknowledged.sort());
    await server.settled(appId, endpointId);
    expect(received().map(idOf).sort()).toEqual(acknowledged);
    await server.publish(appId, { id: 'after' });
  });
});
