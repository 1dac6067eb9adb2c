import { describe, expect, test } from 'vitest';
import { AppendQueue } from './append-queue.ts';
import type { Claim } from './claim.ts';
import type { PendingAppend } from './pending-append.ts';

function aPending(
  appId: string,
  more: { weight?: number; bytes?: number; key?: string; claim?: Claim } = {},
): PendingAppend {
  const { weight = 1, bytes = 100, key } = more;
  const keys = [{ appId, key: key ?? '', bodyHash: Buffer.alloc(32), resultIds: [] }];
  return {
    appId,
    events: [],
    claim: more.claim ?? (key === undefined ? null : { kind: 'keys', keys }),
    timed: false,
    bytes,
    weight,
    appending: [],
    deferring: [],
    partial: null,
    resolve: () => {},
    reject: () => {},
  };
}

function aQueue(pendings: PendingAppend[], batch = { maxEvents: 10, maxBytes: 10_000 }): AppendQueue {
  const queue = new AppendQueue(batch);
  for (const pending of pendings) queue.add(pending);
  return queue;
}

describe('append queue', () => {
  test('gives all that fits at once, in order, and then nothing', () => {
    const pendings = Array.from({ length: 12 }, () => aPending('a'));
    const queue = aQueue(pendings);
    expect(queue.takeBatch()).toEqual(pendings.slice(0, 10));
    expect(queue.takeBatch()).toEqual(pendings.slice(10));
    expect(queue.takeBatch()).toEqual([]);
  });

  test('bounds a batch by bytes, but takes one that is larger alone', () => {
    const [small, huge, last] = [aPending('a'), aPending('a', { bytes: 20_000 }), aPending('a')];
    const queue = aQueue([small, huge, last]);
    expect(queue.takeBatch()).toEqual([small]);
    expect(queue.takeBatch()).toEqual([huge]);
    expect(queue.takeBatch()).toEqual([last]);
  });

  test('lets apps take turns within a batch and over batches', () => {
    const flood = Array.from({ length: 30 }, () => aPending('flood'));
    const quiet = [aPending('b'), aPending('c')];
    const queue = aQueue([...flood, ...quiet]);
    expect(queue.takeBatch()).toEqual([...flood.slice(0, 8), ...quiet]);
    queue.add(quiet[0]);
    expect(queue.takeBatch().map(({ appId }) => appId)).toEqual([...Array(8).fill('flood'), 'b', 'flood']);
  });

  test('holds a key once in a batch; the same key of another app is another', () => {
    const [first, second, other] = [
      aPending('a', { key: 'k' }),
      aPending('a', { key: 'k' }),
      aPending('b', { key: 'k' }),
    ];
    const queue = aQueue([first, second, other]);
    expect(queue.takeBatch()).toEqual([first, other]);
    expect(queue.takeBatch()).toEqual([second]);
  });

  test('takes what is due of an app once in a batch', () => {
    const claim = { kind: 'due', maxEvents: 10, maxBytes: 10 } as const;
    const [first, second, other] = [aPending('a', { claim }), aPending('a', { claim }), aPending('b', { claim })];
    const queue = aQueue([first, second, other]);
    expect(queue.takeBatch()).toEqual([first, other]);
    expect(queue.takeBatch()).toEqual([second]);
  });
});
