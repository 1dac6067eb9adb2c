// A bundle for tests of storage: a database, an app in it, and what makes endpoints and events for them.
import { randomBytes } from 'node:crypto';
import type { EndpointConfig, EndpointFilter } from '../src/core/endpoint.ts';
import { createEndpointConfig } from '../src/core/endpoint-config.ts';
import { IdGenerator, uuidFromId } from '../src/core/id.ts';
import { generateMasterKey, parseMasterKey, SecretBox } from '../src/core/secret-box.ts';
import { appendEvents } from '../src/storage/append.ts';
import { createApp } from '../src/storage/apps.ts';
import type { Database } from '../src/storage/database.ts';
import { createEndpoint, type EndpointStart } from '../src/storage/endpoint-changes.ts';
import { testDatabase } from './database.ts';

export interface StoredApp {
  db: Database;
  box: SecretBox;
  ids: IdGenerator;
  appId: string;
  appUuid: string;
  anEndpoint(more?: { uid?: string; start?: EndpointStart; filter?: EndpointFilter }): Promise<string>;
  /** Appends so many events and returns the last position. */
  append(count: number): Promise<{ position: number; day: string }>;
  /** Runs a statement as it is. */
  sql<Row>(text: string, values?: unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

export function anEndpointConfig(more: { filter?: EndpointFilter; url?: string } = {}): EndpointConfig {
  const result = createEndpointConfig({ url: 'https://example.com/webhooks', ...more });
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.config;
}

export async function storedApp(): Promise<StoredApp> {
  const { db, close } = await testDatabase();
  const box = new SecretBox({ keys: [parseMasterKey(generateMasterKey(randomBytes))], randomBytes });
  const ids = new IdGenerator({ now: Date.now, randomBytes });
  const { id: appId } = await createApp(db, { id: ids.id('app'), uid: null, name: 'An app', metadata: {} });
  let statements = 0;

  return {
    db,
    box,
    ids,
    appId,
    appUuid: uuidFromId('app', appId),
    async anEndpoint({
      uid = null,
      start = 'now',
      filter = {},
    }: {
      uid?: string | null;
      start?: EndpointStart;
      filter?: EndpointFilter;
    } = {}) {
      const secret = { secretUuid: ids.uuid(), secret: 'whsec_first' };
      const config = anEndpointConfig({ filter });
      const id = ids.id('endpoint');
      await createEndpoint(db, box, { id, appId, uid, config, start, secret, idempotency: null });
      return id;
    },
    async append(count) {
      const events = Array.from({ length: count }, () => ({
        id: ids.id('event'),
        ownId: false,
        type: 'a.b',
        timeMs: Date.now(),
        timeGiven: false,
        channels: [],
        data: Buffer.from('{}'),
      }));
      const [group] = await appendEvents(db, [{ appId, events }]);
      if (group === null) throw new Error(`There is no app ${appId}.`);
      return { position: group.base + count, day: group.day };
    },
    sql: (text, values = []) => db.query({ name: `test_statement_${statements++}`, text }, values),
    close,
  };
}
