// An endpoint as a lane uses it: its configuration compiled once per change.
import type { EndpointConfig } from '../core/endpoint.ts';
import { TidingsError } from '../core/errors.ts';
import type { LogEvent } from '../core/event.ts';
import { compileFilter } from '../core/filter.ts';
import { compileVersions, versionAt } from '../core/filter-versions.ts';
import { compileFormat } from '../core/formats/compile-format.ts';
import type { EventFormat } from '../core/formats/event-format.ts';
import { parseSecret, type SigningKey } from '../core/signature.ts';
import { type AddressRules, parseTarget, type Target } from '../net/address-guard.ts';
import type { ConfiguredEndpoint } from '../storage/endpoints.ts';

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
  /** The keys to sign with at this time: during a rotation's grace several. */
  keys(nowMs: number): readonly SigningKey[];
  /** By the filter that was valid where the event stands (design rule 4). */
  matches(event: LogEvent): boolean;
  /** The types of the newest filter when it can be indexed by them; null = it must be asked for every event. */
  exactTypes: readonly string[] | null;
}

export function loadEndpoint(
  endpoint: ConfiguredEndpoint,
  secrets: readonly { secret: string; expiresAt: Date | null }[],
  rules: AddressRules,
): LoadedEndpoint {
  const versions = compileVersions(endpoint.versions);
  const newest = versions[versions.length - 1] ?? { configVersion: 0, compiled: compileFilter(endpoint.config.filter) };
  return {
    id: endpoint.id,
    config: endpoint.config,
    configVersion: endpoint.configVersion,
    paused: endpoint.pausedAt !== null,
    disabled: endpoint.disabledAt !== null,
    skipThrough: endpoint.skipThrough,
    pulledThrough: endpoint.pulledThrough,
    target: targetOf(endpoint.config.url, rules),
    format: compileFormat(endpoint.config.format),
    keys: keysOf(secrets),
    matches(event) {
      if (event.configVersion >= newest.configVersion) return newest.compiled.matches(event);
      return versionAt(versions, event.configVersion).compiled.matches(event);
    },
    exactTypes: newest.compiled.exactTypes,
  };
}

function targetOf(url: string, rules: AddressRules): Target | TidingsError {
  try {
    return parseTarget(url, rules);
  } catch (error) {
    if (error instanceof TidingsError) return error;
    throw error;
  }
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
