// I3 with a lane alone: whatever fails, crashes and is changed, the first deliveries of a strict lane are in the order of the log, and all
// events are delivered or dead in the end.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anEndpoint, DELIVERED, laneAlone, REJECTED, THROTTLED, UNREACHABLE } from '../../test/lane-alone.ts';
import type { EndpointConfig } from '../core/endpoint.ts';
import type { StoredRetry } from '../storage/retries.ts';
import type { FlushItem } from './flusher.ts';

/** What is committed of the lane. */
class Tables {
  readonly retries = new Map<number, StoredRetry>();
  readonly done = new Set<number>();
  readonly dead = new Set<number>();
  settledThrough = 0;

  write(item: FlushItem): void {
    const { row, retry, closedRetry, deadRow } = item;
    if (row && (row.result.outcome === 'delivered' || row.dead)) this.done.add(row.event.position);
    if (retry) {
      const { batchLimit, ...kept } = retry as typeof retry & { batchLimit?: number };
      this.retries.set(retry.position, kept);
    }
    if (closedRetry) this.retries.delete(closedRetry.position);
    if (deadRow) this.dead.add(deadRow.position);
  }

  /** As the next owner reads it: by due time. */
  get state() {
    const next = [...this.retries.values()]
      .map((retry) => ({ ...retry }))
      .toSorted((a, b) => a.dueMs - b.dueMs || a.position - b.position);
    const beyond = [...this.done, ...this.retries.keys()].filter((position) => position > this.settledThrough);
    return {
      settledThrough: this.settledThrough,
      settledBeyond: new Set(beyond),
      retries: { total: next.length, next },
    };
  }
}

const ANSWERS = [DELIVERED, DELIVERED, DELIVERED, REJECTED, REJECTED, UNREACHABLE, { ...THROTTLED, retryAfterMs: 10 }];
const is = <T extends string>(text: T) => fc.constant(text);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: is('publish'), events: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 10, arbitrary: fc.record({ do: is('answer'), answer: fc.nat(ANSWERS.length - 1) }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: is('commit'), items: fc.integer({ min: 1, max: 6 }), checkpoint: fc.boolean() }),
  },
  { weight: 6, arbitrary: fc.record({ do: is('wait'), ms: fc.constantFrom(10, 1000, 70_000) }) },
  { weight: 2, arbitrary: fc.record({ do: is('crash') }) },
  { weight: 2, arbitrary: fc.record({ do: is('batch'), maxEvents: fc.option(fc.integer({ min: 2, max: 6 })) }) },
  { weight: 1, arbitrary: fc.record({ do: is('pause') }) },
  { weight: 2, arbitrary: fc.record({ do: is('resume') }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function run(steps: Step[], onExhausted: 'skip' | 'block'): Promise<void> {
  const tables = new Tables();
  const delivered: number[] = [];
  const seen = new Set<number>();
  let settings: Partial<EndpointConfig> = { order: 'strict', onExhausted, retryDelaysSeconds: [0.5, 1, 5] };
  let paused = false;
  let configVersion = 1;
  let head = 0;
  let nowMs = 0;
  const begin = () => {
    const at = laneAlone({ ...tables.state, settings, readsAtOnce: true });
    nowMs = Math.max(nowMs, at.state.nowMs);
    at.state.nowMs = nowMs;
    at.route(head);
    at.lane.reconfigure(anEndpoint({ configVersion: ++configVersion, settings, paused }));
    at.lane.wake();
    return at;
  };
  let at = begin();
  await at.turn();

  const answer = async (result: (typeof ANSWERS)[number]): Promise<void> => {
    await at.answer((positions) => {
      for (const position of positions) {
        if (result.outcome !== 'delivered' || seen.has(position)) continue;
        seen.add(position);
        delivered.push(position);
      }
      return result;
    });
  };
  const commit = async (count: number, isCheckpointed: boolean): Promise<void> => {
    const items = at.flushed.splice(0, count);
    for (const item of items) item.taken?.();
    const row = isCheckpointed ? at.lane.checkpoint(nowMs, true) : null;
    for (const item of items) tables.write(item);
    if (row) tables.settledThrough = row.settledThrough;
    for (const item of items) item.committed();
    await at.turn();
  };
  const wait = async (ms: number): Promise<void> => {
    nowMs += ms;
    await at.wait(ms);
  };

  for (const one of steps) {
    expect(at.lane.inFlight).toBeLessThanOrEqual(1);
    if (one.do === 'publish') {
      for (let n = 0; n < one.events; n++) at.offer(++head);
      await at.turn();
    } else if (one.do === 'answer') await answer(ANSWERS[one.answer]);
    else if (one.do === 'commit') await commit(one.items, one.checkpoint);
    else if (one.do === 'wait') await wait(one.ms);
    else if (one.do === 'crash') {
      at.lane.stop();
      at = begin();
      await at.turn();
    } else {
      if (one.do === 'batch') {
        settings = { ...settings, batch: one.maxEvents === null ? null : { maxEvents: one.maxEvents, maxWaitMs: 10 } };
      } else paused = one.do === 'pause';
      at.lane.reconfigure(anEndpoint({ configVersion: ++configVersion, settings, paused }));
      await at.turn();
    }
  }
  paused = false;
  at.lane.reconfigure(anEndpoint({ configVersion: ++configVersion, settings, paused }));
  for (let n = 0; n < 2000 && !(at.lane.idle && at.lane.retryCount === 0 && tables.settledThrough === head); n++) {
    await at.turn();
    await answer(DELIVERED);
    await commit(1000, true);
    await wait(5000);
  }
  expect(tables.settledThrough).toBe(head);
  expect(tables.retries.size).toBe(0);
  expect(delivered).toEqual(delivered.toSorted((a, b) => a - b));
  for (let position = 1; position <= head; position++) {
    expect(seen.has(position) || tables.dead.has(position), `event ${position}`).toBe(true);
  }
  if (onExhausted === 'block') expect(tables.dead.size).toBe(0);
}

describe('strict order', () => {
  test('nothing overtakes, through failures, crashes and changes of the endpoint', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 80 }),
        fc.constantFrom('skip', 'block'),
        (steps, on) => run(steps, on as 'skip' | 'block'),
      ),
      { numRuns: 300 },
    );
  });
});
