import { createHash } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, test } from 'vitest';
import type { DemoEndpoint } from './demo-endpoints.ts';
import { DemoReceiver } from './receiver.ts';

const SECRET = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
const receivers: DemoReceiver[] = [];
afterEach(async () => {
  for (const receiver of receivers.splice(0)) await receiver.stop();
});

async function setup(options: Partial<DemoEndpoint>) {
  const receiver = new DemoReceiver();
  receivers.push(receiver);
  const endpoint: DemoEndpoint = { name: 'e', types: null, secret: SECRET, trouble: '', ...options };
  const { e: url } = await receiver.start([endpoint]);
  const send = async (id: string, body: string, secret = SECRET) => {
    const signedAt = new Date();
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(signedAt.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign(id, signedAt, body),
      'tidings-attempt': '2',
    };
    return (await fetch(url, { method: 'POST', headers, body })).status;
  };
  return { receiver, send, url };
}

const BODY = '{"type":"github.star","timestamp":"2026-11-21T10:00:00.000Z","data":{"a":"é","data":1.0}}';

describe('demo receiver', () => {
  test('verifies a delivery and hashes the bytes of its data', async () => {
    const { receiver, send } = await setup({});
    expect(await send('evt_1', BODY)).toBe(200);
    const dataHash = createHash('sha256').update('{"a":"é","data":1.0}').digest('hex');
    expect(receiver.takeReceipts()).toEqual([
      {
        endpoint: 'e',
        id: 'evt_1',
        attempt: 2,
        receivedAtMs: expect.any(Number),
        verified: true,
        dataHash,
        accepted: true,
      },
    ]);
    expect(receiver.takeReceipts()).toEqual([]);
  });

  test('refuses a signature by another secret', async () => {
    const { receiver, send } = await setup({});
    expect(await send('evt_1', BODY, `whsec_${Buffer.alloc(24, 2).toString('base64')}`)).toBe(401);
    expect(receiver.takeReceipts()).toMatchObject([{ verified: false, accepted: false }]);
  });

  test('fails the first tries of the first events of a type', async () => {
    const { send } = await setup({ fails: { types: ['github.star'], tries: 2, events: 1 } });
    const other = BODY.replace('star', 'issues');
    const statuses = [];
    for (const [id, body] of [
      ['a', BODY],
      ['b', BODY],
      ['a', BODY],
      ['c', other],
      ['a', BODY],
      ['a', BODY],
    ]) {
      statuses.push(await send(id, body));
    }
    expect(statuses).toEqual([500, 200, 500, 200, 200, 200]);
  });

  test('refuses connections until it is opened, then listens where it said', async () => {
    const { receiver, send } = await setup({ downMs: 10 });
    await expect(send('evt_1', BODY)).rejects.toThrow();
    await receiver.open('e');
    expect(await send('evt_1', BODY)).toBe(200);
  });
});
