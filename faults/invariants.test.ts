import { describe, expect, test } from 'vitest';
import {
  compareDelays,
  foreignEvents,
  lostEvents,
  overtakings,
  readerGaps,
  spoiltBodies,
  unrecordedSends,
} from './invariants.ts';
import { Ledger, type WatchedEndpoint } from './ledger.ts';
import type { Receipt } from './receipt.ts';

function anEndpoint(members: Partial<WatchedEndpoint> = {}): WatchedEndpoint {
  return { name: 'one', id: 'ep_1', appId: 'app_1', order: 'none', openBound: 2, ...members };
}

/** A ledger with events e1, e2 … acknowledged at positions 1, 2 …, for app_1. */
function setup(options: { endpoints?: WatchedEndpoint[]; events?: number } = {}) {
  const ledger = new Ledger(options.endpoints ?? [anEndpoint()]);
  for (let n = 1; n <= (options.events ?? 3); n++) {
    ledger.sent({ appId: 'app_1', id: `e${n}`, type: 'a', dataHash: `h${n}`, sentAtMs: n * 1000 });
    ledger.acknowledge(`e${n}`, { position: n, atMs: n * 1000 + 5 });
  }
  let order = 0;
  const receive = (n: number, members: Partial<Receipt> = {}) =>
    ledger.receive({
      order: order++,
      endpoint: 'one',
      id: `e${n}`,
      position: n,
      attempt: 1,
      dataHash: `h${n}`,
      signature: 'good',
      status: 200,
      concurrent: 1,
      atMs: n * 1000 + 10,
      ...members,
    });
  return { ledger, receive };
}

const NONE_DEAD = { dead: new Map<string, Set<string>>() };

describe('invariants', () => {
  test('I1: an acknowledged event is accepted or dead, and a refused one is neither', () => {
    const { ledger, receive } = setup();
    receive(1);
    receive(2, { status: 500 });
    expect(lostEvents(ledger, NONE_DEAD)).toEqual([
      'I1: 2 acknowledged events have not reached one: e2 at position 2, e3 at position 3',
    ]);
    expect(lostEvents(ledger, { dead: new Map([['ep_1', new Set(['e2', 'e3'])]]) })).toEqual([]);
  });

  test('I1: promises nothing of what was not acknowledged', () => {
    const { ledger } = setup({ events: 0 });
    ledger.sent({ appId: 'app_1', id: 'x', type: 'a', dataHash: 'h', sentAtMs: 1 });
    expect(lostEvents(ledger, NONE_DEAD)).toEqual([]);
  });

  test('I2: sends beyond the attempts are bounded by lost leases times the open bound', () => {
    const { ledger, receive } = setup();
    for (let n = 0; n < 5; n++) receive(1);
    const attempts = new Map([['ep_1', 3]]);
    expect(unrecordedSends(ledger, { attempts, lostLeases: 1 })).toEqual([]);
    receive(2);
    expect(unrecordedSends(ledger, { attempts, lostLeases: 1 })).toEqual([
      'I2: one was sent 6 requests; 3 attempts are recorded, 5 are allowed',
    ]);
  });

  test('I3: nothing overtakes at a strict endpoint, but what is sent again may be older', () => {
    const strict = setup({ endpoints: [anEndpoint({ order: 'strict' })] });
    for (const n of [1, 2, 1, 3]) strict.receive(n);
    expect(overtakings(strict.ledger, NONE_DEAD)).toEqual([]);
    const overtaken = setup({ endpoints: [anEndpoint({ order: 'strict' })] });
    overtaken.receive(1);
    overtaken.receive(2, { status: 503 });
    overtaken.receive(3);
    expect(overtakings(overtaken.ledger, NONE_DEAD)).toEqual(['I3: one was sent position 3 before 2 was accepted']);
    expect(overtakings(overtaken.ledger, { dead: new Map([['ep_1', new Set(['e2'])]]) })).toEqual([]);
    const free = setup();
    free.receive(3);
    expect(overtakings(free.ledger, NONE_DEAD)).toEqual([]);
  });

  test('I4: an endpoint is sent its own app only, and nothing unknown', () => {
    const { ledger, receive } = setup({ endpoints: [anEndpoint(), anEndpoint({ name: 'two', appId: 'app_2' })] });
    receive(1);
    expect(foreignEvents(ledger)).toEqual([]);
    receive(1, { endpoint: 'two' });
    receive(9);
    expect(foreignEvents(ledger)).toEqual(['I4: foreign events were received: e1 at two, e9 at one']);
  });

  test('I5: a reader sees each position once and in order, and all that was acknowledged', () => {
    const { ledger } = setup();
    const read = (...positions: number[]) => [
      { appId: 'app_1', events: positions.map((position) => ({ id: `e${position}`, position })) },
    ];
    expect(readerGaps(ledger, read(1, 2, 3))).toEqual([]);
    expect(readerGaps(ledger, read(1, 3))[0]).toMatch(/position 3 came as number 2/);
    expect(readerGaps(ledger, read(1, 1, 2, 3))[0]).toMatch(/position 1 came as number 2/);
    expect(readerGaps(ledger, read(1, 2))[0]).toMatch(/misses e3/);
    const twice = [{ appId: 'app_1', events: [1, 2, 3].map((position) => ({ id: 'e1', position })) }];
    expect(readerGaps(ledger, twice)[0]).toMatch(/stands twice/);
  });

  test('I6: bytes and signature are those of the publisher and of Tidings', () => {
    const { ledger, receive } = setup();
    receive(1, { signature: 'late' });
    expect(spoiltBodies(ledger, { lateAllowed: true })).toEqual([]);
    expect(spoiltBodies(ledger)).toHaveLength(1);
    receive(2, { dataHash: 'other' });
    receive(3, { signature: 'bad' });
    expect(spoiltBodies(ledger, { lateAllowed: true })[0]).toMatch(/^I6: 2 bodies .*e2 \(good\), e3 \(bad\)/);
  });

  test('I7: compares the delays of two spans', () => {
    const { ledger, receive } = setup({ events: 4 });
    for (const n of [1, 2, 3]) receive(n);
    receive(4, { atMs: 4000 + 25 });
    const spans = { before: { fromMs: 0, toMs: 4000 }, during: { fromMs: 4000, toMs: 9000 } };
    const compared = compareDelays(ledger, [...ledger.endpoints], spans, { factor: 2, plusMs: 5 });
    expect(compared).toEqual({ beforeMs: 10, duringMs: 25, violations: [] });
    expect(compareDelays(ledger, [...ledger.endpoints], spans, { factor: 2, plusMs: 4 }).violations[0]).toMatch(/^I7/);
    const none = { before: spans.before, during: { fromMs: 9000, toMs: 9001 } };
    expect(compareDelays(ledger, [...ledger.endpoints], none, { factor: 2, plusMs: 5 }).violations).toHaveLength(1);
  });
});
