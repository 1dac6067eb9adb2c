import { describe, expect, test } from 'vitest';
import type { DemoEndpoint } from './demo-endpoints.ts';
import { Ledger } from './ledger.ts';
import type { Receipt } from './receiver.ts';

function anEndpoint(options: Partial<DemoEndpoint> = {}): DemoEndpoint {
  return { name: 'all', types: null, secret: 'whsec_AAAA', trouble: '', ...options };
}

function anEvent(id: string, type = 'github.push') {
  return { id, type, data: '{}', dataHash: `hash of ${id}` };
}

function aReceipt(id: string, options: Partial<Receipt> = {}): Receipt {
  return {
    endpoint: 'all',
    id,
    attempt: 1,
    receivedAtMs: 1000,
    verified: true,
    dataHash: `hash of ${id}`,
    accepted: true,
    ...options,
  };
}

describe('ledger', () => {
  test('is content when all that matches arrived, in whatever order it heard of it', () => {
    const ledger = new Ledger([anEndpoint(), anEndpoint({ name: 'stars', types: ['github.star'] })]);
    ledger.receive(aReceipt('a', { receivedAtMs: 1004 }));
    ledger.publish(anEvent('a'), 1000);
    ledger.publish(anEvent('b', 'github.star'), 1100);
    ledger.receive(aReceipt('b', { receivedAtMs: 1102 }));
    expect(ledger.isComplete).toBe(false);
    ledger.receive(aReceipt('b', { endpoint: 'stars', receivedAtMs: 1500, attempt: 2 }));
    expect(ledger.isComplete).toBe(true);
    const { total, ok, endpoints, deliveriesPerSecond, bestSecond } = ledger.result();
    expect(ok).toBe(true);
    expect(total).toMatchObject({ expected: 3, received: 3, verified: 3, retried: 1, lost: 0, duplicates: 0 });
    expect(endpoints[0].publishToReceiveMs).toEqual({ p50: 2, p99: 4 });
    expect(deliveriesPerSecond).toBeCloseTo(3 / 0.5);
    expect(bestSecond).toBe(3);
  });

  test('misses what was not accepted', () => {
    const ledger = new Ledger([anEndpoint()]);
    ledger.publish(anEvent('a'), 1000);
    ledger.publish(anEvent('b'), 1000);
    ledger.receive(aReceipt('a'));
    ledger.receive(aReceipt('b', { accepted: false }));
    expect(ledger.isComplete).toBe(false);
    expect(ledger.result()).toMatchObject({ ok: false, total: { expected: 2, received: 1, lost: 1 } });
  });

  test('counts duplicates and is content with them', () => {
    const ledger = new Ledger([anEndpoint()]);
    ledger.publish(anEvent('a'), 1000);
    ledger.receive(aReceipt('a', { accepted: false }));
    ledger.receive(aReceipt('a', { attempt: 2 }));
    ledger.receive(aReceipt('a', { attempt: 2 }));
    ledger.receive(aReceipt('a', { attempt: 3 }));
    expect(ledger.result()).toMatchObject({ ok: true, total: { received: 1, verified: 1, retried: 1, duplicates: 2 } });
  });

  test.each([
    [
      'a bad signature, though a later one was good',
      [aReceipt('a', { verified: false, accepted: false }), aReceipt('a')],
    ],
    ['other bytes than were published', [aReceipt('a', { dataHash: 'x' })]],
    ['other bytes in a duplicate', [aReceipt('a'), aReceipt('a', { dataHash: 'x' })]],
  ])('calls a delivery unverified for %s', (_, receipts) => {
    const ledger = new Ledger([anEndpoint()]);
    ledger.publish(anEvent('a'), 1000);
    for (const receipt of receipts) ledger.receive(receipt);
    expect(ledger.result()).toMatchObject({ ok: false, total: { received: 1, verified: 0, lost: 0 } });
  });

  test('objects to an event that an endpoint does not take or that was never published', () => {
    const ledger = new Ledger([anEndpoint({ types: ['github.star'] })]);
    ledger.publish(anEvent('a', 'github.star'), 1000);
    ledger.publish(anEvent('b'), 1000);
    for (const id of ['a', 'b', 'c']) ledger.receive(aReceipt(id));
    expect(ledger.result()).toMatchObject({ ok: false, total: { expected: 1, received: 1, unexpected: 2 } });
  });

  test('gives the total the latency of the endpoints that are well', () => {
    const ledger = new Ledger([anEndpoint(), anEndpoint({ name: 'late', trouble: 'is down' })]);
    ledger.publish(anEvent('a'), 1000);
    ledger.receive(aReceipt('a', { receivedAtMs: 1003 }));
    ledger.receive(aReceipt('a', { receivedAtMs: 5000, endpoint: 'late' }));
    expect(ledger.result().total.publishToReceiveMs).toEqual({ p50: 3, p99: 3 });
    expect(ledger.result().bestSecond).toBe(1);
  });

  test('is not content with nothing', () => {
    expect(new Ledger([anEndpoint()]).result()).toMatchObject({ ok: false, deliveriesPerSecond: 0 });
  });
});
