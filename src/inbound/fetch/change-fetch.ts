// What is to be fetched as it comes from outside: put together with what is stored, and checked as a whole.
import type { FieldError } from '../../core/errors.ts';
import type { SourceSecret } from '../../core/source.ts';
import { FETCH_AUTH_SECRET, takeOutSecrets } from './fetch-auth.ts';
import { checkFetchConfig, type FetchConfig } from './fetch-config.ts';

/** What is absent stays; null is the default. */
export type FetchChange = { [Member in keyof FetchConfig]?: FetchConfig[Member] | null };

export interface ChangedFetch {
  /** Without what is secret. */
  config: FetchConfig;
  /** The names of the secrets that are replaced, and what by. */
  names: string[];
  secrets: SourceSecret[];
}

/** The changed configuration, or what is wrong with it, with paths into the input. */
export function changeFetch(current: Partial<FetchConfig>, change: FetchChange, at = ''): ChangedFetch | FieldError[] {
  const members = Object.entries({ ...current, ...withoutUndefined(change) }).filter(([, value]) => value !== null);
  const merged = Object.fromEntries(members) as Partial<FetchConfig>;
  if (merged.url === undefined) return [{ path: `${at}/url`, message: 'Say what is to be fetched.' }];
  // Credentials that stay were checked before, and are not here.
  const { auth, ...rest } = merged as FetchConfig;
  const isNew = change.auth !== undefined;
  const errors = checkFetchConfig(isNew && auth !== undefined ? { ...rest, auth } : rest, at);
  if (errors.length > 0) return errors;
  const { config, secret } = takeOutSecrets(merged as FetchConfig);
  if (!isNew) return { config, names: [], secrets: [] };
  return {
    config,
    names: [FETCH_AUTH_SECRET],
    secrets: secret === null ? [] : [{ name: FETCH_AUTH_SECRET, secret }],
  };
}

function withoutUndefined(change: FetchChange): FetchChange {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}
