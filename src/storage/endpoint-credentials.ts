// The credentials of endpoints, sealed with the master key and bound to their row. They are read to send, and shown to nobody.
import type { Credential } from '../core/endpoint-auth.ts';
import { idFromUuid, uuidFromId } from '../core/id.ts';
import type { SecretBox } from '../core/secret-box.ts';
import type { Query, Queryable } from './database.ts';

/** A credential under an id that changes with it. */
export interface StoredCredential {
  credentialUuid: string;
  credential: Credential;
}

interface CredentialRow {
  endpoint_id: string;
  credential_id: string;
  sealed: Buffer;
}

function boundTo(appUuid: string, endpointUuid: string, credentialUuid: string): string {
  return `endpoint_credentials:${appUuid}:${endpointUuid}:${credentialUuid}`;
}

function openCredential(box: SecretBox, appUuid: string, row: CredentialRow): StoredCredential {
  const bytes = box.open(row.sealed, boundTo(appUuid, row.endpoint_id, row.credential_id));
  return { credentialUuid: row.credential_id, credential: JSON.parse(bytes.toString('utf8')) };
}

const WRITE_CREDENTIAL = {
  name: 'write_endpoint_credential',
  text: `
INSERT INTO endpoint_credentials (app_id, endpoint_id, credential_id, sealed, created_at) VALUES ($1, $2, $3, $4, now())
ON CONFLICT (app_id, endpoint_id) DO UPDATE
SET credential_id = excluded.credential_id, sealed = excluded.sealed, created_at = excluded.created_at`,
} satisfies Query;

export const DELETE_CREDENTIAL = {
  name: 'delete_endpoint_credential',
  text: `DELETE FROM endpoint_credentials WHERE app_id = $1 AND endpoint_id = $2`,
} satisfies Query;

/** Makes a credential the endpoint's, or takes away the one it has. */
export async function writeCredential(
  tx: Queryable,
  box: SecretBox,
  place: { appUuid: string; endpointUuid: string },
  stored: StoredCredential | null,
): Promise<void> {
  const { appUuid, endpointUuid } = place;
  if (stored === null) {
    await tx.query(DELETE_CREDENTIAL, [appUuid, endpointUuid]);
    return;
  }
  const plain = Buffer.from(JSON.stringify(stored.credential), 'utf8');
  const sealed = box.seal(plain, boundTo(appUuid, endpointUuid, stored.credentialUuid));
  await tx.query(WRITE_CREDENTIAL, [appUuid, endpointUuid, stored.credentialUuid, sealed]);
}

const LOAD_CREDENTIALS = {
  name: 'load_endpoint_credentials',
  text: `
SELECT endpoint_id, credential_id, sealed FROM endpoint_credentials
WHERE app_id = $1 AND ($2::uuid[] IS NULL OR endpoint_id = ANY ($2::uuid[]))`,
} satisfies Query;

/** Of all endpoints of an app, or of some of them, by endpoint id. */
export async function loadCredentials(
  db: Queryable,
  box: SecretBox,
  appId: string,
  endpointIds: string[] | null = null,
): Promise<Map<string, StoredCredential>> {
  const appUuid = uuidFromId('app', appId);
  const endpointUuids = endpointIds?.map((id) => uuidFromId('endpoint', id)) ?? null;
  const rows = await db.query<CredentialRow>(LOAD_CREDENTIALS, [appUuid, endpointUuids]);
  return new Map(rows.map((row) => [idFromUuid('endpoint', row.endpoint_id), openCredential(box, appUuid, row)]));
}
