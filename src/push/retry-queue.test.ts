import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { StoredRetry } from '../storage/retries.ts';
import { RetryQueue } from './retry-queue.ts';

const aRetry = (position: number, dueMs: number): StoredRetry => ({
  position,
  day: '2026-11-21',
  eventId: `e${position}`,
  attempts: 1,
  consumed: 1,
  dueMs,
  transformationVersion: null,
});

describe('retry queue', () => {
  test('gives the next due first', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10_000), { maxLength: 200 }), (dues) => {
        const queue = new RetryQueue();
        dues.forEach((dueMs, i) => {
          queue.put(aRetry(i + 1, dueMs), false);
        });
        const taken = dues.map(() => queue.take()!.dueMs);
        expect(taken).toEqual(dues.toSorted((a, b) => a - b));
        expect(queue.total).toBe(dues.length);
      }),
    );
  });

  test('keeps the next due when it is full and asks for a refill when it runs low', () => {
    const queue = new RetryQueue();
    for (let n = 1; n <= 1000; n++) queue.put(aRetry(n, 1_000_000 - n), false);
    expect(queue.positions()).toHaveLength(RetryQueue.CAPACITY);
    expect(queue.take()!.position).toBe(1000);
    queue.close(1000);
    expect(queue.needsRefill).toBe(false);
    for (let n = 0; n < 200; n++) queue.close(queue.take()!.position);
    expect(queue.needsRefill).toBe(true);
    expect(queue.total).toBe(799);
    const more = Array.from({ length: 256 }, (_, i) => aRetry(799 - i, 1_000_000 - (799 - i)));
    queue.merge(queue.beginRefill(), more);
    expect(queue.take()!.position).toBe(799);
  });

  test('counts a retry once, however often it fails', () => {
    const queue = new RetryQueue();
    queue.put(aRetry(1, 10), false);
    for (let n = 0; n < 5; n++) {
      queue.take();
      queue.put(aRetry(1, 20 + n), true);
    }
    expect(queue.total).toBe(1);
    queue.take();
    queue.close(1);
    expect(queue.total).toBe(0);
    expect(queue.nextDueMs).toBe(Number.POSITIVE_INFINITY);
  });

  test('takes out what was cancelled', () => {
    const queue = new RetryQueue();
    queue.load([aRetry(1, 10), aRetry(2, 20)], 2);
    queue.cancel(1);
    expect(queue.total).toBe(1);
    expect(queue.take()!.position).toBe(2);
  });

  test('what is due together is taken as the log has it, also when it was read from the table or given back', () => {
    const queue = new RetryQueue();
    queue.load([aRetry(1, 10), aRetry(2, 10), aRetry(3, 10)], 3);
    expect(queue.peek()?.position).toBe(1);
    for (const retry of [queue.take()!, queue.take()!]) queue.add(retry);
    expect([queue.take(), queue.take(), queue.take()].map((retry) => retry?.position)).toEqual([1, 2, 3]);
  });

  test('by position, what comes first is due first whatever its time', () => {
    const queue = new RetryQueue('position');
    queue.put(aRetry(2, 10), false);
    queue.put(aRetry(1, 5000), false);
    expect(queue.nextDueMs).toBe(5000);
    queue.hasten(20);
    expect(queue.nextDueMs).toBe(20);
    expect(queue.peek()?.position).toBe(1);
  });
});
