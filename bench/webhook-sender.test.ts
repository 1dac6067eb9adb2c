import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebhookSender } from './webhook-sender.ts';

let origin: string;
let status = 200;
let seen: { delivery: string; isSigned: boolean; bytes: number }[];
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    const signature = `sha256=${createHmac('sha256', 'secret').update(body).digest('hex')}`;
    seen.push({
      delivery: String(request.headers['x-github-delivery']),
      isSigned: request.headers['x-hub-signature-256'] === signature,
      bytes: body.length,
    });
    response.writeHead(status, { 'content-length': 0 }).end();
  });
});

beforeEach(async () => {
  seen = [];
  status = 200;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const setup = async (): Promise<WebhookSender> => {
  const options = { origin, path: '/in/x', secret: 'secret', bodyBytes: 500, connections: 3, status: 200, number: 7 };
  const sender = new WebhookSender(options);
  await sender.connect();
  return sender;
};

describe('webhook sender', () => {
  test('sends signed webhooks, each with an id of its own', async () => {
    const sender = await setup();
    const { requests } = await sender.runClosedLoop({ seconds: 0.2 });
    expect(requests).toBe(seen.length);
    expect(new Set(seen.map(({ delivery }) => delivery)).size).toBe(requests);
    expect(seen.every(({ isSigned, bytes }) => isSigned && bytes === 500)).toBe(true);
    sender.close();
  });

  test('sends so many a second', async () => {
    const sender = await setup();
    expect((await sender.runOpenLoop({ perSecond: 100, seconds: 0.5 })).requests).toBe(50);
    sender.close();
  });

  test('fails when it is answered otherwise', async () => {
    const sender = await setup();
    status = 401;
    await expect(sender.runClosedLoop({ seconds: 5 })).rejects.toThrow('401');
    sender.close();
  });
});
