// Factories for tests that work on the log itself, below the API.
import { randomBytes } from 'node:crypto';
import type { NewEvent } from '../src/core/event.ts';
import { IdGenerator } from '../src/core/id.ts';
import { createApp } from '../src/storage/apps.ts';
import type { Database } from '../src/storage/database.ts';

export const testIds = new IdGenerator({ now: Date.now, randomBytes });

export function anEvent(overrides: Partial<NewEvent> = {}): NewEvent {
  return {
    id: overrides.id ?? testIds.id('event'),
    ownId: overrides.id !== undefined,
    type: 'invoice.paid',
    timeMs: 1_700_000_000_123,
    timeGiven: true,
    channels: [],
    data: Buffer.from('{"amount":12345678901234567890}'),
    ...overrides,
  };
}

/** An app in the database; its id. */
export async function anApp(db: Database, name = 'Acme'): Promise<string> {
  const app = await createApp(db, { id: testIds.id('app'), uid: null, name, metadata: {} });
  return app.id;
}
