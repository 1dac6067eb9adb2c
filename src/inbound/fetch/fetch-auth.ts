// What a source shows to the API it fetches. What is secret of it is stored sealed, beside the configuration and never in it.
import type { SourceSecret } from '../../core/source.ts';
import type { FetchAuth, FetchConfig } from './fetch-config.ts';

/** The name of the one secret that holds all that is secret of `auth`, as JSON. */
export const FETCH_AUTH_SECRET = 'fetch.auth';

const SECRET_MEMBERS = ['password', 'token', 'value', 'clientSecret', 'refreshToken'] as const;

/** A configuration without what is secret, and that by itself; null = there is none. */
export function takeOutSecrets(config: FetchConfig): { config: FetchConfig; secret: string | null } {
  if (config.auth === undefined) return { config, secret: null };
  const [shown, secret]: [Record<string, unknown>, Record<string, unknown>] = [{}, {}];
  for (const [name, value] of Object.entries(config.auth)) {
    const isSecret = (SECRET_MEMBERS as readonly string[]).includes(name);
    (isSecret ? secret : shown)[name] = value;
  }
  return { config: { ...config, auth: shown as FetchAuth }, secret: JSON.stringify(secret) };
}

export function putInSecrets(config: FetchConfig, secrets: readonly SourceSecret[]): FetchConfig {
  const kept = secrets.find(({ name }) => name === FETCH_AUTH_SECRET);
  if (config.auth === undefined || kept === undefined) return config;
  return { ...config, auth: { ...config.auth, ...JSON.parse(kept.secret) } as FetchAuth };
}

/** A text that may be shown: with what is secret taken out, also where the API repeats it. */
export function hideSecrets(text: string, config: FetchConfig): string {
  let hidden = text;
  for (const [name, value] of Object.entries(config.auth ?? {})) {
    if (!(SECRET_MEMBERS as readonly string[]).includes(name) || typeof value !== 'string' || value === '') continue;
    for (const form of [value, encodeURIComponent(value)]) hidden = hidden.replaceAll(form, '…');
  }
  return hidden;
}
