// A stored source made ready to run.
import type { EndpointFilter } from '../../core/endpoint.ts';
import { compileFilter } from '../../core/filter.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import { NO_TRANSFORMATION, type Transformation } from '../../core/transformation.ts';
import type { Database } from '../../storage/database.ts';
import { lockFetch, type StoredFetch } from '../../storage/fetch-state.ts';
import { loadSourceSecrets, replaceSourceSecrets } from '../../storage/source-secrets.ts';
import { externalKey } from '../ingest.ts';
import { FETCH_AUTH_SECRET, putInSecrets, takeOutSecrets } from './fetch-auth.ts';
import type { FetchConfig } from './fetch-config.ts';
import { FetchFailure } from './fetch-failure.ts';
import type { RunningSource } from './run-source.ts';

/** As every source that is fetched is stored, whatever else it does. */
export interface StoredFetchConfig {
  description?: string;
  channels?: string[];
  transform?: Transformation;
  /** Of one that has webhooks too. */
  filter?: EndpointFilter;
  deduplicateSeconds?: number;
  /** Without what is secret of it. */
  fetch?: FetchConfig;
}

/** @throws FetchFailure misconfigured */
export async function loadRunningSource(db: Database, box: SecretBox, stored: StoredFetch): Promise<RunningSource> {
  const {
    fetch,
    channels = [],
    transform = NO_TRANSFORMATION,
    filter = {},
    deduplicateSeconds: keptSeconds = 0,
  } = stored.config as StoredFetchConfig;
  if (fetch === undefined) throw new FetchFailure('misconfigured', 'The source has nothing to fetch.');
  const config = putInSecrets(fetch, await loadSourceSecrets(db, box, stored));
  const hasWebhooks = stored.kind === 'webhook';
  return {
    stored,
    config,
    channels,
    takes: compileFilter(filter).matches,
    transform,
    shared: hasWebhooks && keptSeconds > 0 ? { keyOf: externalKey, keptSeconds } : null,
  };
}

/** Keeps the refresh token that took the place of the one the source had, unless its user has changed it meanwhile. */
export async function saveRefreshToken(
  { db, box, newUuid }: { db: Database; box: SecretBox; newUuid: () => string },
  { stored, config }: RunningSource,
  refreshToken: string,
): Promise<void> {
  const renewed = { ...config, auth: { ...config.auth, refreshToken } } as FetchConfig;
  const { secret } = takeOutSecrets(renewed);
  await db.transaction(async (tx) => {
    if (secret === null || !(await lockFetch(tx, stored))) return;
    const secrets = [{ name: FETCH_AUTH_SECRET, secret, secretUuid: newUuid() }];
    await replaceSourceSecrets(tx, box, stored, { names: [FETCH_AUTH_SECRET], secrets });
  });
}
