import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, test } from 'vitest';
import { FloorServer, splitEvents } from './floor-server.ts';
import { LoadGenerator } from './load-generator.ts';
import { Receiver } from './receiver.ts';
import { stampedData } from './stamped-data.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe('floor server', () => {
  test('cuts single events and batches out of the bodies that are published', () => {
    const data = stampedData(80);
    const event = `{"type":"bench.event","data":${data}}`;
    const single = splitEvents(Buffer.from(event));
    const batch = splitEvents(Buffer.from(`{"events":[${event},${event},${event}]}`));
    expect(single.map((e) => [e.type, e.data.toString()])).toEqual([['bench.event', data]]);
    expect(batch.map((e) => [e.type, e.data.toString()])).toEqual(Array(3).fill(['bench.event', data]));
  });

  test.each([
    { endpoints: 1, eventsPerRequest: 1 },
    { endpoints: 3, eventsPerRequest: 5 },
  ])('sends each event of $eventsPerRequest a request to $endpoints endpoints once', async (shape) => {
    const receiver = new Receiver();
    cleanups.push(() => receiver.close());
    const { port } = await receiver.listen();
    const floor = new FloorServer({ receiverOrigin: `http://127.0.0.1:${port}`, endpoints: shape.endpoints });
    cleanups.push(() => floor.close());
    const { port: floorPort } = await floor.listen();
    const generator = new LoadGenerator({
      origin: `http://127.0.0.1:${floorPort}`,
      paths: [`/v1/apps/a/events${shape.eventsPerRequest > 1 ? '/batch' : ''}`],
      headers: {},
      connections: 4,
      eventsPerRequest: shape.eventsPerRequest,
      dataBytes: 1024,
    });
    cleanups.push(() => generator.close());
    await generator.connect();
    const { events } = await generator.runClosedLoop({ seconds: 0.05 });
    await expect.poll(() => receiver.stats().distinct).toBe(events * shape.endpoints);
    expect(receiver.stats()).toMatchObject({ duplicates: 0, malformed: 0 });
  });

  test('signs as the server does', async () => {
    const { createServer } = await import('node:http');
    const origin = createServer();
    const received = new Promise<{ headers: Record<string, string>; body: string }>((resolve) => {
      origin.on('request', async (request, response) => {
        const body = Buffer.concat(await request.toArray()).toString();
        response.end();
        resolve({ headers: request.headers as Record<string, string>, body });
      });
    });
    await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise((resolve) => origin.close(() => resolve())));
    const port = (origin.address() as { port: number }).port;
    const floor = new FloorServer({ receiverOrigin: `http://127.0.0.1:${port}`, endpoints: 1 });
    cleanups.push(() => floor.close());
    const { port: floorPort } = await floor.listen();
    await fetch(`http://127.0.0.1:${floorPort}/v1/apps/a/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"type":"a.b","data":{"x":1}}',
    });
    const { headers, body } = await received;
    const webhook = new Webhook(Buffer.alloc(32, 7).toString('base64'));
    expect(webhook.verify(body, headers)).toMatchObject({ type: 'a.b', data: { x: 1 } });
  });
});
