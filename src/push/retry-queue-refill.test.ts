// The queue against the table that it is a window of: whatever is put, taken, closed and cancelled while refills are under way, nothing
// in the table is forgotten, and what is due first is taken first.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { StoredRetry } from '../storage/retries.ts';
import { type Refill, RetryQueue } from './retry-queue.ts';

const aRetry = (position: number, dueMs: number): StoredRetry => ({
  position,
  day: '2026-11-21',
  eventId: `e${position}`,
  attempts: 1,
  consumed: 1,
  dueMs,
  transformationVersion: null,
});

/** The next due of the table that the queue does not hold, as the refill's query answers. */
function query(table: Map<number, StoredRetry>, { order, held }: Refill = { order: 'due', held: [] }): StoredRetry[] {
  const except = new Set(held);
  const rows = [...table.values()].filter((retry) => !except.has(retry.position));
  return rows
    .toSorted((a, b) => (order === 'due' ? a.dueMs - b.dueMs : 0) || a.position - b.position)
    .slice(0, RetryQueue.CAPACITY);
}

function tableOf(retries: StoredRetry[]): Map<number, StoredRetry> {
  return new Map(retries.map((retry) => [retry.position, retry]));
}

function loaded(table: Map<number, StoredRetry>): RetryQueue {
  const queue = new RetryQueue();
  queue.load(query(table), table.size);
  return queue;
}

function refill(queue: RetryQueue, table: Map<number, StoredRetry>): void {
  const refill = queue.beginRefill();
  queue.merge(refill, query(table, refill));
}

describe('retry queue and its table', () => {
  test('a refill that overfills memory forgets none', () => {
    const table = tableOf(Array.from({ length: 456 }, (_, i) => aRetry(i + 1, i + 1)));
    const queue = loaded(table);
    const taken = new Set<number>();
    for (let retry = queue.take(); retry; retry = queue.take()) {
      taken.add(retry.position);
      table.delete(retry.position);
      queue.close(retry.position);
      if (queue.needsRefill) refill(queue, table);
    }
    expect(taken.size).toBe(456);
    expect(queue.total).toBe(0);
  });

  test('what fails again and is due later does not keep out of memory what is due now', () => {
    const table = tableOf(Array.from({ length: 600 }, (_, i) => aRetry(i + 1, i + 1)));
    const queue = loaded(table);
    const first: number[] = [];
    for (let n = 0; n < 600; n++) {
      if (queue.needsRefill) refill(queue, table);
      const retry = queue.take()!;
      first.push(retry.position);
      const again = { ...retry, dueMs: retry.dueMs + 1_000_000 };
      table.set(retry.position, again);
      queue.put(again, true);
    }
    expect(first).toEqual(Array.from({ length: 600 }, (_, i) => i + 1));
  });

  test('a resend of what has no retry leaves the count alone', () => {
    const table = tableOf(Array.from({ length: 260 }, (_, i) => aRetry(i + 1, i + 1)));
    const queue = loaded(table);
    for (let position = 1001; position <= 1010; position++) queue.cancel(position);
    let taken = 0;
    for (;;) {
      if (queue.needsRefill) refill(queue, table);
      const retry = queue.take();
      if (!retry) break;
      table.delete(retry.position);
      queue.close(retry.position);
      taken++;
    }
    expect(taken).toBe(260);
  });

  test('a retry that a refill has read before its flush was told of is held once', () => {
    const queue = new RetryQueue();
    queue.put(aRetry(1, 10), false);
    queue.put(aRetry(2, 20), false);
    queue.merge(queue.beginRefill(), [aRetry(3, 30)]);
    queue.put(aRetry(3, 30), false);
    const taken = [queue.take(), queue.take(), queue.take(), queue.take()].map((retry) => retry?.position);
    expect(taken).toEqual([1, 2, 3, undefined]);
  });

  test('under strict order all are taken as the log has them, however many the table holds and whenever they are due', () => {
    const table = tableOf(Array.from({ length: 700 }, (_, i) => aRetry(i + 1, 1000 - i)));
    const queue = new RetryQueue('position');
    queue.load(query(table), table.size);
    const taken: number[] = [];
    for (;;) {
      if (queue.needsRefill) refill(queue, table);
      const retry = queue.take();
      if (!retry) break;
      taken.push(retry.position);
      table.delete(retry.position);
      queue.close(retry.position);
    }
    expect(taken).toEqual(Array.from({ length: 700 }, (_, i) => i + 1));
  });

  test('what was read in the old order is no use in the new one', () => {
    const table = tableOf(Array.from({ length: 600 }, (_, i) => aRetry(i + 1, 1000 - i)));
    const queue = loaded(table);
    for (let n = 0; n < 250; n++) queue.add(queue.take()!); // some are under way now and then
    const old = queue.beginRefill();
    queue.reorder('position');
    queue.merge(old, query(table, old));
    expect(queue.peek()).toBeNull();
    expect(queue.needsRefill).toBe(true);
    refill(queue, table);
    expect(queue.peek()?.position).toBe(1);
    queue.reorder('due');
    refill(queue, table);
    expect(queue.peek()?.position).toBe(600);
  });

  test('nothing in the table is forgotten, and what is due first is taken first', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('fail' as const), dueMs: fc.nat(5000) }) },
      { weight: 6, arbitrary: fc.record({ do: fc.constant('take' as const), again: fc.option(fc.nat(5000)) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), position: fc.nat(900) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('read' as const) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('merge' as const) }) },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constant('reorder' as const), order: fc.constantFrom('due', 'position') }),
      },
    );
    fc.assert(
      fc.property(fc.array(fc.nat(5000), { maxLength: 700 }), fc.array(step, { maxLength: 300 }), (dues, steps) => {
        const table = tableOf(dues.map((dueMs, i) => aRetry(i + 1, dueMs)));
        const queue = loaded(table);
        let next = dues.length;
        let read: { refill: Refill; rows: StoredRetry[] } | null = null;
        let order: Refill['order'] = 'due';
        for (const one of steps) {
          if (one.do === 'fail') {
            const retry = aRetry(++next, one.dueMs);
            table.set(retry.position, retry);
            queue.put(retry, false);
          } else if (one.do === 'take') {
            const retry = queue.take();
            if (!retry) continue;
            if (one.again === null) {
              table.delete(retry.position);
              queue.close(retry.position);
            } else {
              const again = { ...retry, dueMs: one.again };
              table.set(retry.position, again);
              queue.put(again, true);
            }
          } else if (one.do === 'cancel') {
            table.delete(one.position);
            queue.cancel(one.position);
          } else if (one.do === 'read') {
            if (queue.needsRefill && read === null) {
              const refill = queue.beginRefill();
              read = { refill, rows: query(table, refill) };
            }
          } else if (one.do === 'reorder') {
            order = one.order as Refill['order'];
            queue.reorder(order);
          } else if (read) {
            queue.merge(read.refill, read.rows);
            read = null;
          }
        }
        if (read) queue.merge(read.refill, read.rows);
        expect(queue.total).toBeGreaterThanOrEqual(table.size);
        let last = 0;
        for (;;) {
          if (queue.needsRefill) refill(queue, table);
          const retry = queue.take();
          if (!retry) break;
          const key = order === 'due' ? retry.dueMs : retry.position;
          expect(key).toBeGreaterThanOrEqual(last);
          last = key;
          table.delete(retry.position);
          queue.close(retry.position);
        }
        expect(table.size).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
