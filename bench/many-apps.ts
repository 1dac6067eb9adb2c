// Writes apps with their endpoints as the API would have an hour ago, thousands in a statement: by calls it would take minutes. many-apps.test.ts
// holds the rows against those that the product's own functions write.
import { randomBytes } from 'node:crypto';
import type { EndpointFilter } from '../src/core/endpoint.ts';
import type { Database, Query } from '../src/storage/database.ts';
import { product } from './database-under-test.ts';

const INSERT_APPS = {
  name: 'bench_insert_apps',
  text: `
WITH app AS (
  INSERT INTO apps (app_id, uid, name, metadata, created_at, updated_at)
  SELECT app_id, NULL, 'bench', '{}', now() - interval '1 hour', now() - interval '1 hour' FROM unnest($1::uuid[]) AS a(app_id)
)
INSERT INTO heads (app_id, last_position, config_version, changed_at, last_day)
SELECT app_id, 0, 1 + $2::integer, now() - interval '1 hour', (now() AT TIME ZONE 'UTC')::date FROM unnest($1::uuid[]) AS a(app_id)`,
} satisfies Query;

const INSERT_ENDPOINTS = {
  name: 'bench_insert_endpoints',
  text: `
WITH new AS (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::smallint[], $5::text[], $6::uuid[], $7::text[])
    AS e(app_id, endpoint_id, config_version, slot, config, secret_id, sealed)
), endpoint AS (
  INSERT INTO endpoints (app_id, endpoint_id, uid, config_version, config, created_at, updated_at)
  SELECT app_id, endpoint_id, NULL, config_version, config::jsonb, now() - interval '1 hour', now() - interval '1 hour' FROM new
), version AS (
  INSERT INTO endpoint_versions (app_id, endpoint_id, config_version, from_position, filter, created_at)
  SELECT app_id, endpoint_id, config_version, 1, config::jsonb -> 'filter', now() - interval '1 hour' FROM new
), lane AS (
  INSERT INTO lanes (app_id, endpoint_id, slot, settled_through, settled_day, updated_at)
  SELECT app_id, endpoint_id, slot, 0, (now() AT TIME ZONE 'UTC')::date, now() - interval '1 hour' FROM new
)
INSERT INTO endpoint_secrets (app_id, endpoint_id, secret_id, sealed, created_at)
SELECT app_id, endpoint_id, secret_id, decode(sealed, 'hex'), now() - interval '1 hour' FROM new`,
} satisfies Query;

const APPS_A_STATEMENT = 1000;

interface ManyApps {
  apps: number;
  /** Of each app. */
  endpoints: { url: string; filter?: EndpointFilter }[];
  /** As TIDINGS_MASTER_KEY takes it. */
  masterKey: string;
}

/** The ids of the new apps. */
export async function createManyApps(db: Database, { apps, endpoints, masterKey }: ManyApps): Promise<string[]> {
  const { IdGenerator, idFromUuid } = await product.ids();
  const { SecretBox, parseMasterKey } = await product.secretBox();
  const { createEndpointConfig } = await product.endpointConfig();
  const { slotOf } = await product.endpoint();
  const { generateSecret } = await product.signature();
  const box = new SecretBox({ keys: [parseMasterKey(masterKey)], randomBytes });
  const ids = new IdGenerator({ now: Date.now, randomBytes });
  const configs = endpoints.map((endpoint) => {
    const result = createEndpointConfig(endpoint);
    if (!result.ok) throw new Error(result.errors[0].message);
    return JSON.stringify(result.config);
  });
  const rowOf = (appUuid: string, n: number) => {
    const [endpointUuid, secretUuid] = [ids.uuid(), ids.uuid()];
    const secret = Buffer.from(generateSecret('v1', randomBytes));
    const sealed = box.seal(secret, `endpoint_secrets:${appUuid}:${endpointUuid}:${secretUuid}`).toString('hex');
    return [appUuid, endpointUuid, n + 2, slotOf(endpointUuid), configs[n], secretUuid, sealed];
  };
  const uuids = Array.from({ length: apps }, () => ids.uuid());
  for (let from = 0; from < apps; from += APPS_A_STATEMENT) {
    const some = uuids.slice(from, from + APPS_A_STATEMENT);
    const rows = some.flatMap((appUuid) => endpoints.map((_, n) => rowOf(appUuid, n)));
    await db.transaction(async (tx) => {
      await tx.query(INSERT_APPS, [some, endpoints.length]);
      if (rows.length > 0) {
        await tx.query(
          INSERT_ENDPOINTS,
          rows[0].map((_, column) => rows.map((row) => row[column])),
        );
      }
    });
  }
  return uuids.map((uuid) => idFromUuid('app', uuid));
}
