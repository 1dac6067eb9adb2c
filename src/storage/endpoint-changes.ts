// Every change of an endpoint. Each first raises the configuration version (config-version.ts), then writes.
import { type Endpoint, type EndpointConfig, type EndpointFilter, slotOf } from '../core/endpoint.ts';
import { TidingsError } from '../core/errors.ts';
import { parseId, uuidFromId } from '../core/id.ts';
import type { SecretBox } from '../core/secret-box.ts';
import { bumpConfigVersion, type LockedHead } from './config-version.ts';
import { type CreationKey, claimCreation } from './creation-claim.ts';
import type { Database, Query, Queryable } from './database.ts';
import { DELETE_CREDENTIAL, type StoredCredential, writeCredential } from './endpoint-credentials.ts';
import { insertSecret } from './endpoint-secrets.ts';
import { ENDPOINT_COLUMNS, type EndpointRow, findEndpoint, noEndpoint, toEndpoint } from './endpoints.ts';
import { oldestKept } from './events.ts';
import { insertTransformation } from './transformations.ts';
import { violates } from './violation.ts';

const INSERT_ENDPOINT = {
  name: 'insert_endpoint',
  text: `
INSERT INTO endpoints (app_id, endpoint_id, uid, config_version, config, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, now(), now()) RETURNING ${ENDPOINT_COLUMNS}`,
} satisfies Query;

const INSERT_VERSION = {
  name: 'insert_endpoint_version',
  text: `
INSERT INTO endpoint_versions (app_id, endpoint_id, config_version, from_position, filter, created_at)
VALUES ($1, $2, $3, $4, $5, now())`,
} satisfies Query;

const INSERT_LANE = {
  name: 'insert_lane',
  text: `
INSERT INTO lanes (app_id, endpoint_id, slot, settled_through, start_position, settled_day, updated_at)
VALUES ($1, $2, $3, $4, $4, $5, now())`,
} satisfies Query;

/** Where a new endpoint's cursor stands: at the head, before the oldest event that is kept, or after a given one. */
export type EndpointStart = 'now' | 'oldest' | { position: number; day: string };

interface NewSecret {
  secretUuid: string;
  secret: string;
}

export interface NewEndpoint {
  id: string;
  appId: string;
  uid: string | null;
  config: EndpointConfig;
  start: EndpointStart;
  /** Null for a signing that has none. */
  secret: NewSecret | null;
  credential?: StoredCredential | null;
  idempotency: CreationKey | null;
}

/**
 * Creates an endpoint, or with an idempotency key that was used for the same body returns the one made then.
 * @throws TidingsError `not_found` (app), `uid_taken`, `idempotency_conflict`, `cursor_ahead`, `cursor_expired`, `conflict`
 */
export async function createEndpoint(db: Database, box: SecretBox, endpoint: NewEndpoint): Promise<Endpoint> {
  const { appId, id, config } = endpoint;
  try {
    return await db.transaction(async (tx) => {
      const earlierId = await claimCreation(tx, { appId, kind: 'endpoint', id, idempotency: endpoint.idempotency });
      if (earlierId !== null) return await earlierEndpoint(tx, appId, earlierId);
      const head = await bumpConfigVersion(tx, appId);
      const appUuid = uuidFromId('app', appId);
      const uuid = uuidFromId('endpoint', id);
      const [row] = await tx.query<EndpointRow>(INSERT_ENDPOINT, [
        appUuid,
        uuid,
        endpoint.uid,
        head.configVersion,
        JSON.stringify(config),
      ]);
      await insertVersion(tx, { appUuid, uuid, head, filter: config.filter });
      const { transformation } = config;
      if (transformation.code !== null) {
        await insertTransformation(tx, { appUuid, endpointUuid: uuid }, transformation);
      }
      const start = await startOf(tx, appId, head, endpoint.start);
      await tx.query(INSERT_LANE, [appUuid, uuid, slotOf(uuid), start.position, start.day]);
      if (endpoint.secret !== null) await insertSecret(tx, box, { appId, endpointId: id, ...endpoint.secret });
      if (endpoint.credential) {
        await writeCredential(tx, box, { appUuid, endpointUuid: uuid }, endpoint.credential);
      }
      return toEndpoint(row);
    });
  } catch (error) {
    throw violates(error, 'endpoints_uid') ? uidTaken(endpoint.uid) : error;
  }
}

async function insertVersion(
  tx: Queryable,
  version: { appUuid: string; uuid: string; head: LockedHead; filter: EndpointFilter },
): Promise<void> {
  const { appUuid, uuid, head, filter } = version;
  await tx.query(INSERT_VERSION, [appUuid, uuid, head.configVersion, head.position + 1, JSON.stringify(filter)]);
}

async function earlierEndpoint(tx: Queryable, appId: string, endpointId: string): Promise<Endpoint> {
  const endpoint = await findEndpoint(tx, appId, endpointId);
  if (endpoint === null) {
    throw new TidingsError(
      'conflict',
      `The endpoint ${endpointId} that this Idempotency-Key created has been deleted since. Use a new key.`,
    );
  }
  return endpoint;
}

function uidTaken(uid: string | null | undefined): TidingsError {
  return new TidingsError(
    'uid_taken',
    `Another endpoint of this app has the uid ${uid}. Choose another, or change that endpoint.`,
  );
}

// What retention has dropped is not asked for: a start there would show as an expiry of events the endpoint never awaited.
async function startOf(
  tx: Queryable,
  appId: string,
  head: LockedHead,
  start: EndpointStart,
): Promise<{ position: number; day: string }> {
  if (start === 'now') return head;
  if (start !== 'oldest' && start.position > head.position) {
    throw new TidingsError(
      'cursor_ahead',
      'The cursor to start from is ahead of the log: the log was restored from a backup. Start from "oldest" or "now".',
    );
  }
  if (start !== 'oldest' && start.position === head.position) return start;
  const oldest = await oldestKept(tx, appId);
  const oldestStart = oldest === null ? head : { position: oldest.position - 1, day: oldest.day };
  if (start === 'oldest') return oldestStart;
  if (start.position < oldestStart.position) {
    throw new TidingsError(
      'cursor_expired',
      'The events after the cursor to start from are past retention. Start from "oldest" to take all that are kept.',
    );
  }
  return start;
}

const LOCK_ENDPOINT = {
  name: 'lock_endpoint',
  text: `
SELECT ${ENDPOINT_COLUMNS} FROM endpoints
WHERE app_id = $1 AND endpoint_id = $2 AND deleted_at IS NULL FOR UPDATE`,
} satisfies Query;

const WRITE_ENDPOINT = {
  name: 'write_endpoint',
  text: `
UPDATE endpoints
SET uid = $3, config = $4, config_version = $5, paused_at = CASE $6 WHEN 'pause' THEN coalesce(paused_at, now())
      WHEN 'resume' THEN NULL ELSE paused_at END,
    disabled_at = CASE $6 WHEN 'resume' THEN NULL ELSE disabled_at END,
    disabled_reason = CASE $6 WHEN 'resume' THEN NULL ELSE disabled_reason END,
    skip_through = greatest(skip_through, $7), updated_at = now()
WHERE app_id = $1 AND endpoint_id = $2 RETURNING ${ENDPOINT_COLUMNS}`,
} satisfies Query;

/** What one write changes; what is absent stays. */
interface EndpointWrite {
  /** Given the stored endpoint, what becomes of it. @throws TidingsError when the result is not valid. */
  revise?: (endpoint: Endpoint) => RevisedEndpoint;
  /** Seals what is secret of the revision. */
  box?: SecretBox;
  lifecycle?: 'pause' | 'resume';
  skipToHead?: boolean;
}

/** `secret` and `credential` take the place of those that the endpoint has; null takes them away. */
export interface RevisedEndpoint {
  uid: string | null;
  config: EndpointConfig;
  secret?: NewSecret | null;
  credential?: StoredCredential | null;
}

async function changeEndpoint(
  db: Database,
  place: { appId: string; endpointId: string },
  write: EndpointWrite,
): Promise<Endpoint> {
  const appUuid = uuidFromId('app', place.appId);
  const uuid = parseId('endpoint', place.endpointId);
  if (uuid === null) throw noEndpoint(place.endpointId);
  return await db.transaction(async (tx) => {
    const head = await bumpConfigVersion(tx, place.appId);
    const [stored] = await tx.query<EndpointRow>(LOCK_ENDPOINT, [appUuid, uuid]);
    if (stored === undefined) throw noEndpoint(place.endpointId);
    const before = toEndpoint(stored);
    const revised: RevisedEndpoint = write.revise?.(before) ?? before;
    const { uid, config } = revised;
    const [row] = await tx.query<EndpointRow>(WRITE_ENDPOINT, [
      appUuid,
      uuid,
      uid,
      JSON.stringify(config),
      head.configVersion,
      write.lifecycle ?? 'keep',
      write.skipToHead === true ? head.position : 0,
    ]);
    if (JSON.stringify(config.filter) !== JSON.stringify(before.config.filter)) {
      await insertVersion(tx, { appUuid, uuid, head, filter: config.filter });
    }
    if (config.transformation.version !== before.config.transformation.version) {
      await insertTransformation(tx, { appUuid, endpointUuid: uuid }, config.transformation);
    }
    if (write.box !== undefined) await writeSecrets(tx, write.box, place, revised);
    return toEndpoint(row);
  });
}

async function writeSecrets(
  tx: Queryable,
  box: SecretBox,
  place: { appId: string; endpointId: string },
  { secret, credential }: RevisedEndpoint,
): Promise<void> {
  const [appUuid, endpointUuid] = [uuidFromId('app', place.appId), uuidFromId('endpoint', place.endpointId)];
  if (secret !== undefined) {
    await tx.query(DELETE_SECRETS, [appUuid, endpointUuid]);
    if (secret !== null) await insertSecret(tx, box, { ...place, ...secret });
  }
  if (credential !== undefined) await writeCredential(tx, box, { appUuid, endpointUuid }, credential);
}

/** Changes an endpoint's uid and configuration; neither resumes nor re-enables it. @throws TidingsError `not_found`, `uid_taken` */
export async function updateEndpoint(
  db: Database,
  box: SecretBox,
  place: { appId: string; endpointId: string },
  revise: (endpoint: Endpoint) => RevisedEndpoint,
): Promise<Endpoint> {
  let uid: string | null = null;
  try {
    return await changeEndpoint(db, place, {
      box,
      revise: (endpoint) => {
        const revised = revise(endpoint);
        uid = revised.uid;
        return revised;
      },
    });
  } catch (error) {
    throw violates(error, 'endpoints_uid') ? uidTaken(uid) : error;
  }
}

/** @throws TidingsError `not_found` */
export async function pauseEndpoint(db: Database, place: { appId: string; endpointId: string }): Promise<Endpoint> {
  return await changeEndpoint(db, place, { lifecycle: 'pause' });
}

/** Ends a pause and a disabling alike; from the head, what waits is skipped. @throws TidingsError `not_found` */
export async function resumeEndpoint(
  db: Database,
  place: { appId: string; endpointId: string },
  from: 'cursor' | 'head',
): Promise<Endpoint> {
  return await changeEndpoint(db, place, { lifecycle: 'resume', skipToHead: from === 'head' });
}

const BURY_ENDPOINT = {
  name: 'bury_endpoint',
  text: `
UPDATE endpoints SET deleted_at = now(), updated_at = now(), config_version = $3
WHERE app_id = $1 AND endpoint_id = $2 AND deleted_at IS NULL RETURNING endpoint_id`,
} satisfies Query;

const DELETE_LANE = {
  name: 'delete_lane',
  text: `DELETE FROM lanes WHERE app_id = $1 AND endpoint_id = $2`,
} satisfies Query;

const DELETE_SECRETS = {
  name: 'delete_endpoint_secrets',
  text: `DELETE FROM endpoint_secrets WHERE app_id = $1 AND endpoint_id = $2`,
} satisfies Query;

const REQUEST_ERASURE = {
  name: 'request_erasure',
  text: `
INSERT INTO erasures (app_id, endpoint_id, requested_at) VALUES ($1, $2, now())
ON CONFLICT (app_id, endpoint_id) DO NOTHING`,
} satisfies Query;

/** Tombstones the endpoint and leaves its retries and attempts to the eraser. @throws TidingsError `not_found` */
export async function deleteEndpoint(db: Database, place: { appId: string; endpointId: string }): Promise<void> {
  const appUuid = uuidFromId('app', place.appId);
  const uuid = parseId('endpoint', place.endpointId);
  if (uuid === null) throw noEndpoint(place.endpointId);
  await db.transaction(async (tx) => {
    const head = await bumpConfigVersion(tx, place.appId);
    const buried = await tx.query(BURY_ENDPOINT, [appUuid, uuid, head.configVersion]);
    if (buried.length === 0) throw noEndpoint(place.endpointId);
    for (const query of [DELETE_LANE, DELETE_SECRETS, DELETE_CREDENTIAL, REQUEST_ERASURE]) {
      await tx.query(query, [appUuid, uuid]);
    }
  });
}
