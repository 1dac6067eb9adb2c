// The signing secrets of endpoints, sealed with the master key and bound to their row. During a rotation's grace several are
// current, and requests carry a signature of each.
import { ENDPOINT_DEFAULTS, type EndpointConfig } from '../core/endpoint.ts';
import { TidingsError } from '../core/errors.ts';
import { idFromUuid, uuidFromId } from '../core/id.ts';
import type { SecretBox } from '../core/secret-box.ts';
import type { Signing } from '../core/signing/signing.ts';
import { secretForm } from '../core/signing/signing-secret.ts';
import { bumpConfigVersion } from './config-version.ts';
import type { Database, Query, Queryable } from './database.ts';
import { noEndpoint } from './endpoints.ts';

export interface EndpointSecret {
  secret: string;
  createdAt: Date;
  /** null: the newest, which stays until it is rotated. */
  expiresAt: Date | null;
}

export const MAX_CURRENT_SECRETS = 5;

interface SecretRow {
  endpoint_id: string;
  secret_id: string;
  sealed: Buffer;
  created_at: Date;
  expires_at: Date | null;
}

const COLUMNS = 'endpoint_id, secret_id, sealed, created_at, expires_at';

/** What a sealed secret is bound to: it cannot be opened in another app's or another row's place. */
function boundTo(appUuid: string, endpointUuid: string, secretUuid: string): string {
  return `endpoint_secrets:${appUuid}:${endpointUuid}:${secretUuid}`;
}

function openSecret(box: SecretBox, appUuid: string, row: SecretRow): EndpointSecret {
  const bytes = box.open(row.sealed, boundTo(appUuid, row.endpoint_id, row.secret_id));
  return { secret: bytes.toString('utf8'), createdAt: row.created_at, expiresAt: row.expires_at };
}

const INSERT_SECRET = {
  name: 'insert_endpoint_secret',
  text: `
INSERT INTO endpoint_secrets (app_id, endpoint_id, secret_id, sealed, created_at) VALUES ($1, $2, $3, $4, now())`,
} satisfies Query;

interface NewSecret {
  appId: string;
  endpointId: string;
  /** A new UUID. */
  secretUuid: string;
  secret: string;
}

export async function insertSecret(tx: Queryable, box: SecretBox, secret: NewSecret): Promise<void> {
  const appUuid = uuidFromId('app', secret.appId);
  const endpointUuid = uuidFromId('endpoint', secret.endpointId);
  const sealed = box.seal(Buffer.from(secret.secret, 'utf8'), boundTo(appUuid, endpointUuid, secret.secretUuid));
  await tx.query(INSERT_SECRET, [appUuid, endpointUuid, secret.secretUuid, sealed]);
}

const LOAD_SECRETS_OF_APP = {
  name: 'load_secrets_of_app',
  text: `
SELECT ${COLUMNS} FROM endpoint_secrets
WHERE app_id = $1 AND ($2::uuid[] IS NULL OR endpoint_id = ANY ($2::uuid[])) AND (expires_at IS NULL OR expires_at > now())
ORDER BY endpoint_id, secret_id DESC`,
} satisfies Query;

/** The current secrets of all endpoints of an app, or of some of them, by endpoint id, newest first. */
export async function loadSecretsOfApp(
  db: Queryable,
  box: SecretBox,
  appId: string,
  endpointIds: string[] | null = null,
): Promise<Map<string, EndpointSecret[]>> {
  const appUuid = uuidFromId('app', appId);
  const secrets = new Map<string, EndpointSecret[]>();
  const endpointUuids = endpointIds?.map((id) => uuidFromId('endpoint', id)) ?? null;
  for (const row of await db.query<SecretRow>(LOAD_SECRETS_OF_APP, [appUuid, endpointUuids])) {
    const endpointId = idFromUuid('endpoint', row.endpoint_id);
    const secret = openSecret(box, appUuid, row);
    const list = secrets.get(endpointId);
    if (list === undefined) secrets.set(endpointId, [secret]);
    else list.push(secret);
  }
  return secrets;
}

const LOAD_SECRETS = {
  name: 'load_endpoint_secrets',
  text: `
SELECT ${COLUMNS} FROM endpoint_secrets
WHERE app_id = $1 AND endpoint_id = $2 AND (expires_at IS NULL OR expires_at > now()) ORDER BY secret_id DESC`,
} satisfies Query;

/** The current secrets of one endpoint, newest first; empty when there is no such endpoint. */
export async function loadSecrets(
  db: Queryable,
  box: SecretBox,
  appId: string,
  endpointId: string,
): Promise<EndpointSecret[]> {
  const appUuid = uuidFromId('app', appId);
  const rows = await db.query<SecretRow>(LOAD_SECRETS, [appUuid, uuidFromId('endpoint', endpointId)]);
  return rows.map((row) => openSecret(box, appUuid, row));
}

const RAISE_ENDPOINT_VERSION = {
  name: 'raise_endpoint_version',
  text: `
UPDATE endpoints SET config_version = $3, updated_at = now()
WHERE app_id = $1 AND endpoint_id = $2 AND deleted_at IS NULL RETURNING config`,
} satisfies Query;

const DROP_SECRETS = {
  name: 'drop_endpoint_secrets',
  text: `
DELETE FROM endpoint_secrets WHERE app_id = $1 AND endpoint_id = $2 AND ($3::float8 <= 0 OR expires_at <= now())`,
} satisfies Query;

const EXPIRE_SECRETS = {
  name: 'expire_endpoint_secrets',
  text: `
UPDATE endpoint_secrets SET expires_at = least(expires_at, now() + make_interval(secs => $3::float8))
WHERE app_id = $1 AND endpoint_id = $2 RETURNING secret_id`,
} satisfies Query;

/**
 * Makes a new secret the endpoint's; the ones before stay current for the grace, or are deleted at once when it is 0.
 * @throws TidingsError `not_found`, `conflict` when too many would be current, or the endpoint no longer has the signing that it is for
 */
export async function rotateSecret(
  db: Database,
  box: SecretBox,
  secret: NewSecret & { signing: Signing; graceSeconds: number },
): Promise<void> {
  const place = [uuidFromId('app', secret.appId), uuidFromId('endpoint', secret.endpointId)];
  await db.transaction(async (tx) => {
    const head = await bumpConfigVersion(tx, secret.appId);
    const [found] = await tx.query<{ config: Partial<EndpointConfig> }>(RAISE_ENDPOINT_VERSION, [
      ...place,
      head.configVersion,
    ]);
    if (found === undefined) throw noEndpoint(secret.endpointId);
    const { signing } = { ...ENDPOINT_DEFAULTS, ...found.config };
    if (secretForm(signing) !== secretForm(secret.signing)) {
      throw new TidingsError(
        'conflict',
        `The signing of the endpoint ${secret.endpointId} was changed meanwhile. Try again.`,
      );
    }
    await tx.query(DROP_SECRETS, [...place, secret.graceSeconds]);
    const kept = secret.graceSeconds > 0 ? await tx.query(EXPIRE_SECRETS, [...place, secret.graceSeconds]) : [];
    if (kept.length >= MAX_CURRENT_SECRETS) {
      throw new TidingsError(
        'conflict',
        `The endpoint ${secret.endpointId} has ${kept.length} current secrets, and ${MAX_CURRENT_SECRETS} is the most. ` +
          'Wait until one expires, or rotate with graceSeconds 0 to end them all.',
      );
    }
    await insertSecret(tx, box, secret);
  });
}
