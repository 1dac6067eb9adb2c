import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { placeBefore } from './log-times.ts';

describe('log times', () => {
  let app: StoredApp;
  let yesterdayMs: number;
  let today: string;
  let yesterday: string;

  beforeAll(async () => {
    app = await storedApp();
    const { day } = await app.append(25);
    today = day;
    yesterdayMs = Date.parse(`${day}T00:00:00Z`) - 86_400_000;
    yesterday = new Date(yesterdayMs).toISOString().slice(0, 10);
    // 1 to 10 were appended yesterday, one a second from 10:00:01 on; 11 to 20 today from 0:00:11 on; 21 to 25 together at 1:00.
    await app.sql(
      `UPDATE events SET day = $2, appended_at = $2::date + interval '10 hours' + position * interval '1 second'
       WHERE app_id = $1 AND position <= 10`,
      [app.appUuid, yesterday],
    );
    await app.sql(
      `UPDATE events SET appended_at = $2::date + CASE WHEN position > 20 THEN interval '1 hour' ELSE position * interval '1 second' END
       WHERE app_id = $1 AND position > 10`,
      [app.appUuid, today],
    );
  });
  afterAll(() => app.close());

  const at = (dayOffset: number, hours: number, seconds: number) =>
    placeBefore(app.db, app.appId, yesterdayMs + dayOffset * 86_400_000 + hours * 3_600_000 + seconds * 1000);

  test('lead to the last event appended before', async () => {
    for (let seconds = 1; seconds <= 10; seconds++) {
      expect(await at(0, 10, seconds)).toEqual({ position: seconds - 1, day: yesterday });
      expect(await at(0, 10, seconds - 0.001)).toEqual({ position: seconds - 1, day: yesterday });
      expect(await at(1, 0, seconds + 10)).toEqual({ position: seconds + 9, day: today });
    }
    expect(await at(0, 11, 0)).toEqual({ position: 10, day: yesterday });
    expect(await at(1, 0, 0)).toEqual({ position: 10, day: today });
    expect(await at(1, 1, 0)).toEqual({ position: 20, day: today });
    expect(await at(1, 1, 0.001)).toEqual({ position: 25, day: today });
  });

  test('before and after all events lead to the ends', async () => {
    expect(await at(-1000, 0, 0)).toEqual({ position: 0, day: yesterday });
    expect(await placeBefore(app.db, app.appId, -62_135_596_800_000)).toEqual({ position: 0, day: yesterday });
    expect(await at(2, 0, 0)).toBeNull();
    expect(await placeBefore(app.db, app.ids.id('app'), yesterdayMs)).toBeNull();
  });
});
