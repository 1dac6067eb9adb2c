// An endpoint's filters over time. Each event is matched by the one that was valid where it stands (design rule 4), whoever asks:
// the lane that sends it, the plan of a replay, or `explain`.
import type { EndpointVersion } from './endpoint.ts';
import { type CompiledFilter, compileFilter } from './filter.ts';

export interface FilterVersion extends EndpointVersion {
  compiled: CompiledFilter;
}

/** Oldest first. */
export function compileVersions(versions: readonly EndpointVersion[]): FilterVersion[] {
  return versions
    .toSorted((a, b) => a.configVersion - b.configVersion)
    .map((version) => ({ ...version, compiled: compileFilter(version.filter) }));
}

/** The newest version that was valid already, or the first: an endpoint that starts in the past has no older one. */
export function versionAt(versions: readonly FilterVersion[], configVersion: number): FilterVersion {
  return versions.findLast((version) => version.configVersion <= configVersion) ?? versions[0];
}
