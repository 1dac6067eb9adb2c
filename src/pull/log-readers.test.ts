import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Head } from '../storage/heads.ts';
import { type LogReader, LogReaders } from './log-readers.ts';

const headAt = (position: number): Head => ({ position, day: '2026-11-21', configVersion: 1 });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function settled(): Promise<void> {
  for (let n = 0; n < 50; n++) await turn();
}

describe('log readers', () => {
  test('every reader learns of the last end, however the log moves while they are told', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(3), { maxLength: 40 }),
        fc.integer({ min: 1, max: 100 }),
        async (pauses, count) => {
          const readers = new LogReaders({ onError: () => {} });
          const seen = new Array<number>(count).fill(0);
          for (let i = 0; i < count; i++) {
            readers.add('app_1', {
              moved: ({ position }) => {
                seen[i] = position;
              },
            });
          }
          let position = 0;
          for (const pause of pauses) {
            readers.moved('app_1', headAt(++position));
            for (let n = 0; n < pause; n++) await turn();
          }
          await settled();
          expect(new Set(seen)).toEqual(new Set([position]));
        },
      ),
      { numRuns: 50 },
    );
  });

  test('tells readers of many events at once when there are more events than turns', async () => {
    const readers = new LogReaders({ onError: () => {} });
    let calls = 0;
    for (let i = 0; i < 1000; i++) readers.add('app_1', { moved: () => void calls++ });
    for (let position = 1; position <= 100; position++) readers.moved('app_1', headAt(position));
    await settled();
    expect(calls).toBeLessThanOrEqual(2000);
  });

  test('tells nobody who was removed, and only readers of that app', async () => {
    const readers = new LogReaders({ onError: () => {} });
    const told: string[] = [];
    const reader = (name: string): LogReader => ({ moved: () => void told.push(name) });
    const gone = reader('gone');
    readers.add('app_1', gone);
    readers.add('app_1', reader('stays'));
    readers.add('app_2', reader('other'));
    readers.moved('app_1', headAt(1));
    readers.remove('app_1', gone);
    await settled();
    expect(told).toEqual(['stays']);
    expect(readers.count).toBe(2);
  });

  test('one that fails is reported and holds up nobody', async () => {
    const errors: unknown[] = [];
    const readers = new LogReaders({ onError: (error) => errors.push(error) });
    let told = 0;
    readers.add('app_1', {
      moved: () => {
        throw new Error('no');
      },
    });
    readers.add('app_1', { moved: () => void told++ });
    readers.moved('app_1', headAt(1));
    await settled();
    expect(told).toBe(1);
    expect(errors).toHaveLength(1);
  });
});
