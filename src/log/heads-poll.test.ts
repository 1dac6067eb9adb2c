import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Query, Queryable } from '../storage/database.ts';
import { EventCache } from './event-cache.ts';
import { GapReader } from './gap-reader.ts';
import { HeadsPoll } from './heads-poll.ts';
import { Tail } from './tail.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A database that is out of reach while `isDown`; tells how far back each look went. */
class FlakyDatabase implements Queryable {
  isDown = false;
  lookedBackSeconds: number[] = [];

  async query<Row>(_: Query, values: unknown[] = []): Promise<Row[]> {
    if (values.length > 0) this.lookedBackSeconds.push(values[0] as number);
    if (this.isDown) throw new Error('the database is out of reach');
    return [];
  }
}

describe('heads poll', () => {
  test('after an outage it looks back to its last success, so that no change is missed', async () => {
    const db = new FlakyDatabase();
    const cache = new EventCache({ db });
    const tail = new Tail({
      cache,
      gaps: new GapReader({ db, cache }),
      isWanted: () => true,
      onEvents: () => {},
      onHead: () => {},
      onConfigChanged: () => {},
      onError: () => {},
    });
    const poll = new HeadsPoll({ db, tail, onAppDeleted: () => {}, onError: () => {} });
    await poll.start();
    await vi.advanceTimersByTimeAsync(5000);
    expect(db.lookedBackSeconds.at(-1)).toBeLessThan(40);
    db.isDown = true;
    await vi.advanceTimersByTimeAsync(120_000);
    db.isDown = false;
    db.lookedBackSeconds = [];
    await vi.advanceTimersByTimeAsync(3000);
    expect(db.lookedBackSeconds[0]).toBeGreaterThan(120);
    expect(db.lookedBackSeconds.at(-1)).toBeLessThan(40);
    await poll.stop();
  });
});
