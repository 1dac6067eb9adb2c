import { describe, expect, test } from 'vitest';
import { testIds } from '../../test/event-log.ts';
import type { Queryable } from '../storage/database.ts';
import { EndLookups } from './end-lookups.ts';

/** A database whose answers are given by hand. */
class SlowDatabase implements Queryable {
  readonly asked: { answer: (position: number) => void; fail: (error: Error) => void }[] = [];

  query<Row>(): Promise<Row[]> {
    return new Promise((resolve, reject) => {
      this.asked.push({
        answer: (position) =>
          resolve([
            { app_id: '', last_position: position, last_day: '2026-11-21', config_version: 1, idle_ms: 5 },
          ] as Row[]),
        fail: reject,
      });
    });
  }
}

describe('end lookups', () => {
  const appId = testIds.id('app');

  test('who asks later learns what was committed until then, all in one query', async () => {
    const db = new SlowDatabase();
    const ends = new EndLookups({ db });
    const first = ends.read(appId);
    const later = Array.from({ length: 100 }, () => ends.read(appId));
    expect(db.asked).toHaveLength(1);
    db.asked[0].answer(7);
    expect(await first).toEqual({ position: 7, day: '2026-11-21', configVersion: 1, idleMs: 5 });
    expect(db.asked).toHaveLength(2);
    const latest = ends.read(appId);
    db.asked[1].answer(8);
    for (const end of await Promise.all(later)) expect(end?.position).toBe(8);
    db.asked[2].answer(9);
    expect((await latest)?.position).toBe(9);
    void ends.read(appId);
    expect(db.asked).toHaveLength(4);
  });

  test('a failure is told to those who shared it only, and apps do not wait for each other', async () => {
    const db = new SlowDatabase();
    const ends = new EndLookups({ db });
    const first = ends.read(appId);
    const next = ends.read(appId);
    void ends.read(testIds.id('app'));
    expect(db.asked).toHaveLength(2);
    db.asked[0].fail(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    db.asked[2].answer(3);
    expect((await next)?.position).toBe(3);
  });
});
