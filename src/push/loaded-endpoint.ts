// An endpoint as a lane uses it: its configuration compiled once per change.
import type { EndpointConfig } from '../core/endpoint.ts';
import type { TidingsError } from '../core/errors.ts';
import type { LogEvent } from '../core/event.ts';
import { compileFilter } from '../core/filter.ts';
import { compileVersions, versionAt } from '../core/filter-versions.ts';
import { compileFormat } from '../core/formats/compile-format.ts';
import type { EventFormat } from '../core/formats/event-format.ts';
import { parseSecret, type SigningKey } from '../core/signature.ts';
import { createSigner } from '../core/signing/create-signer.ts';
import type { Signer } from '../core/signing/signer.ts';
import type { AddressRules, Target } from '../net/address-guard.ts';
import type { StoredCredential } from '../storage/endpoint-credentials.ts';
import type { ConfiguredEndpoint } from '../storage/endpoints.ts';
import { loadCredential, type OAuthGrant, targetOf } from './loaded-credential.ts';

export interface LoadedEndpoint {
  id: string;
  config: EndpointConfig;
  configVersion: number;
  paused: boolean;
  disabled: boolean;
  skipThrough: number;
  /** How far commits in mode pull had moved its cursor when it was loaded. */
  pulledThrough: number;
  /** Where to send; or why it cannot be sent there under the rules that the server runs with. */
  target: Target | TidingsError;
  /** What writes its requests; null = `standard`. */
  format: EventFormat | null;
  /** The endpoint's own headers, and those of its credential. */
  headers: Readonly<Record<string, string>>;
  /** What of its credential an answer may repeat; null = nothing. */
  echoes: readonly string[] | null;
  /** What a token is fetched with before anything is sent; null for all but OAuth2. */
  grant: OAuthGrant | null;
  /** The keys of Standard Webhooks to sign with at this time: during a rotation's grace several. */
  keys(nowMs: number): readonly SigningKey[];
  /** What signs by another scheme; null = Standard Webhooks. */
  signer: Signer | null;
  /** By the filter that was valid where the event stands (design rule 4). */
  matches(event: LogEvent): boolean;
  /** Why its filter cannot be asked about an event; null = it always can, for it has never had a `where`. */
  filterFailure: ((event: LogEvent) => string | null) | null;
  /** The types of the newest filter when it can be indexed by them; null = it must be asked for every event. */
  exactTypes: readonly string[] | null;
}

/** What the server as a whole says of endpoints. */
export interface ServerRules extends AddressRules {
  /** Where others reach the API, without a slash at its end; null = it was not said. */
  publicUrl?: string | null;
}

/** @throws TidingsError when the secrets are not of the form that its signing asks for */
export function loadEndpoint(
  endpoint: ConfiguredEndpoint,
  secrets: readonly { secret: string; expiresAt: Date | null }[],
  rules: ServerRules,
  credential: StoredCredential | null = null,
): LoadedEndpoint {
  const { id, config } = endpoint;
  const signer = createSigner(config.signing, secrets);
  const auth = loadCredential({ id, auth: config.auth, target: targetOf(config.url, rules) }, credential, rules);
  const versions = compileVersions(endpoint.versions);
  const newest = versions[versions.length - 1] ?? { configVersion: 0, compiled: compileFilter(endpoint.config.filter) };
  return {
    id,
    config,
    configVersion: endpoint.configVersion,
    paused: endpoint.pausedAt !== null,
    disabled: endpoint.disabledAt !== null,
    skipThrough: endpoint.skipThrough,
    pulledThrough: endpoint.pulledThrough,
    format: compileFormat(config.format, rules.publicUrl ?? null),
    target: auth.target,
    headers: { ...config.headers, ...auth.headers },
    echoes: auth.echoes,
    grant: auth.grant,
    keys: signer === null ? keysOf(secrets) : () => [],
    signer,
    matches(event) {
      if (event.configVersion >= newest.configVersion) return newest.compiled.matches(event);
      return versionAt(versions, event.configVersion).compiled.matches(event);
    },
    filterFailure: versions.some(({ compiled }) => compiled.hasWhere)
      ? (event) => versionAt(versions, event.configVersion).compiled.failure(event)
      : null,
    exactTypes: newest.compiled.exactTypes,
  };
}

function keysOf(
  secrets: readonly { secret: string; expiresAt: Date | null }[],
): (nowMs: number) => readonly SigningKey[] {
  const keys = secrets.map(({ secret, expiresAt }) => ({
    key: parseSecret(secret),
    expiresMs: expiresAt?.getTime() ?? Number.POSITIVE_INFINITY,
  }));
  const lasting = keys.filter(({ expiresMs }) => expiresMs === Number.POSITIVE_INFINITY).map(({ key }) => key);
  if (lasting.length === keys.length) return () => lasting;
  return (nowMs) => keys.filter(({ expiresMs }) => expiresMs > nowMs).map(({ key }) => key);
}
