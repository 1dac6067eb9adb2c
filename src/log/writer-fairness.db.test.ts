// The writer shares its batches over the apps, whatever one of them publishes.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { anApp, anEvent } from '../../test/event-log.ts';
import { ensurePartitions } from '../storage/partitions.ts';
import { Writer } from './writer.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await testDatabase();
});
afterEach(() => database.close());

describe('writer', () => {
  test('an app that fills every batch does not hold up the others', async () => {
    const writer = new Writer({
      db: database.db,
      onCommitted: () => {},
      ensurePartitions: () => ensurePartitions(database.db, { daysAhead: 7 }),
      options: { connections: 1, maxBatchEvents: 10 },
    });
    const [flood, quiet] = [await anApp(database.db), await anApp(database.db)];
    const order: string[] = [];
    const publish = async (appId: string, events: number): Promise<void> => {
      await writer.append({ appId, events: Array.from({ length: events }, () => anEvent()), idempotency: null });
      order.push(appId);
    };
    const flooding = Array.from({ length: 40 }, () => publish(flood, 5));
    await publish(quiet, 1);
    await Promise.all(flooding);
    // One batch may be under way already, and the flood's turn may come first.
    expect(order.indexOf(quiet)).toBeLessThanOrEqual(4);
    await writer.stop();
  });
});
