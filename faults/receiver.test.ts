import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, test } from 'vitest';
import { until } from '../test/until.ts';
import { hashData, Receiver } from './receiver.ts';

const SECRET = `whsec_${Buffer.alloc(24, 5).toString('base64')}`;
const BODY = '{"type":"a.b","timestamp":"2026-01-01T00:00:00Z","data":{"n":12345678901234567890}}';
const running: Receiver[] = [];
afterEach(async () => {
  for (const receiver of running.splice(0)) await receiver.shut();
});

async function setup() {
  const receiver = new Receiver();
  running.push(receiver);
  receiver.expect('one', SECRET);
  const { port } = await receiver.listen();
  const post = (at = new Date(), body = BODY, signed = BODY) =>
    fetch(`http://127.0.0.1:${port}/one`, {
      method: 'POST',
      body,
      headers: {
        'webhook-id': 'evt_1',
        'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
        'webhook-signature': new Webhook(SECRET).sign('evt_1', at, signed),
        'tidings-position': '7',
        'tidings-attempt': '2',
      },
    });
  return { receiver, port, post };
}

describe('receiver', () => {
  test('writes down what came, with the bytes of the data and the signature verified', async () => {
    const { receiver, post } = await setup();
    expect((await post()).status).toBe(200);
    const { receipts, more } = receiver.take();
    expect(more).toBe(false);
    expect(receipts).toMatchObject([
      {
        order: 0,
        endpoint: 'one',
        id: 'evt_1',
        position: 7,
        attempt: 2,
        signature: 'good',
        status: 200,
        concurrent: 1,
      },
    ]);
    expect(receipts[0].dataHash).toBe(hashData('{"n":12345678901234567890}'));
    expect(receiver.take().receipts).toEqual([]);
  });

  test('tells a wrong signature from a wrong time', async () => {
    const { receiver, post } = await setup();
    await post(new Date(), BODY, `${BODY} `);
    await post(new Date(Date.now() - 3_600_000));
    await post(new Date(Date.now() + 3_600_000), BODY, `${BODY} `);
    expect(receiver.take().receipts.map(({ signature }) => signature)).toEqual(['bad', 'late', 'bad']);
  });

  test('behaves as it is told', async () => {
    const { receiver, post } = await setup();
    receiver.behave(['one'], { kind: 'status', status: 429, retryAfterSeconds: 3 });
    const throttled = await post();
    expect([throttled.status, throttled.headers.get('retry-after')]).toEqual([429, '3']);
    receiver.behave(['one'], { kind: 'poison', type: 'a.b' });
    expect((await post()).status).toBe(500);
    receiver.behave(['one'], { kind: 'poison', type: 'b.c' });
    expect((await post()).status).toBe(200);
    receiver.behave(['one'], { kind: 'hang' });
    const hanging = Promise.allSettled([post(), post()]);
    const receipts = receiver.take().receipts;
    await until(() => receipts.push(...receiver.take().receipts) === 5);
    expect(receipts.slice(3).map(({ status, signature, concurrent }) => [status, signature, concurrent])).toEqual([
      [null, 'unseen', 1],
      [null, 'unseen', 2],
    ]);
    await receiver.shut();
    expect((await hanging).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  test('goes down and comes back on the same port', async () => {
    const { receiver, port, post } = await setup();
    await receiver.shut();
    await expect(post()).rejects.toThrow();
    expect(await receiver.listen()).toEqual({ port });
    expect((await post()).status).toBe(200);
  });
});
