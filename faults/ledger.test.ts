import { describe, expect, test } from 'vitest';
import { Ledger, percentile } from './ledger.ts';

const ENDPOINT = { name: 'one', id: 'ep_1', appId: 'app_1', order: 'none', openBound: 1 } as const;
const RECEIPT = {
  order: 0,
  endpoint: 'one',
  position: 1,
  attempt: 1,
  dataHash: 'h',
  signature: 'good',
  status: 200,
  concurrent: 1,
  atMs: 30,
} as const;

describe('ledger', () => {
  test('counts deliveries once, duplicates apart, and only promises what was acknowledged', () => {
    const ledger = new Ledger([ENDPOINT]);
    for (const id of ['a', 'b', 'c']) ledger.sent({ appId: 'app_1', id, type: 't', dataHash: 'h', sentAtMs: 10 });
    ledger.acknowledge('a', { position: 1, atMs: 12 });
    ledger.acknowledge('b', { position: 2, atMs: 12 });
    for (const id of ['a', 'a', 'a', 'c']) ledger.receive({ ...RECEIPT, id });
    ledger.receive({ ...RECEIPT, id: 'b', status: 500 });
    expect(ledger.counts()).toEqual({ acknowledged: 2, expected: 2, delivered: 1, duplicates: 2, requests: 5 });
    expect(ledger.missing(ENDPOINT).map(({ id }) => id)).toEqual(['b']);
    expect(ledger.delaysMs([ENDPOINT], { fromMs: 0, toMs: 11 })).toEqual([20]);
    expect(ledger.delaysMs([ENDPOINT], { fromMs: 11, toMs: 20 })).toEqual([]);
  });

  test('takes percentiles', () => {
    const sorted = Array.from({ length: 100 }, (_, i) => i + 1);
    expect([percentile(sorted, 50), percentile(sorted, 99), percentile([7], 99)]).toEqual([50, 99, 7]);
    expect(percentile([], 99)).toBeNaN();
  });
});
