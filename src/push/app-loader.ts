// Reads an app for its lanes in one snapshot: configuration, keys, and for lanes that are new to this process their kept state. A snapshot,
// because the configuration version, the head and what is settled must be of one moment (design rules 1 and 4).
import { uuidFromId } from '../core/id.ts';
import type { SecretBox } from '../core/secret-box.ts';
import type { Database } from '../storage/database.ts';
import { loadSecretsOfApp } from '../storage/endpoint-secrets.ts';
import { loadEndpointsOfApp } from '../storage/endpoints.ts';
import type { LaneKey } from '../storage/flush.ts';
import type { Head } from '../storage/heads.ts';
import { loadLanes, loadSettledBeyond, type StoredLane } from '../storage/lanes.ts';
import { loadRetries, type StoredRetry } from '../storage/retries.ts';
import type { AddressRules } from './address-guard.ts';
import { type LoadedEndpoint, loadEndpoint } from './loaded-endpoint.ts';
import { RetryQueue } from './retry-queue.ts';

/** What a lane begins with. */
export interface LaneState {
  key: LaneKey;
  endpoint: LoadedEndpoint;
  stored: StoredLane;
  settledBeyond: Set<number> | undefined;
  retries: { total: number; next: StoredRetry[] } | undefined;
}

export interface LoadedApp {
  head: Head;
  endpoints: LoadedEndpoint[];
  newLanes: LaneState[];
}

/** The app as of now; null when it does not exist. `isNew` says of which endpoints the lane state is wanted. */
export function loadApp(
  parts: { db: Database; box: SecretBox; rules: AddressRules },
  appId: string,
  isNew: (endpointId: string) => boolean,
): Promise<LoadedApp | null> {
  return parts.db.snapshot(async (tx) => {
    const app = await loadEndpointsOfApp(tx, appId);
    if (!app) return null;
    const secrets = await loadSecretsOfApp(tx, parts.box, appId);
    const endpoints = app.endpoints.map((endpoint) =>
      loadEndpoint(endpoint, secrets.get(endpoint.id) ?? [], parts.rules),
    );
    const head = { position: app.lastPosition, day: app.lastDay, configVersion: app.configVersion };
    const wanted = endpoints.filter((endpoint) => isNew(endpoint.id));
    if (wanted.length === 0) return { head, endpoints, newLanes: [] };

    const uuids = wanted.map((endpoint) => uuidFromId('endpoint', endpoint.id));
    const stored = new Map((await loadLanes(tx, appId, uuids)).map((lane) => [lane.endpointId, lane]));
    const lagging = [...stored.values()].filter((lane) => lane.settledThrough < head.position);
    const settledBeyond =
      lagging.length === 0
        ? new Map<string, Set<number>>()
        : await loadSettledBeyond(
            tx,
            appId,
            lagging.map((lane) => uuidFromId('endpoint', lane.endpointId)),
          );
    const retries = await loadRetries(tx, appId, uuids, RetryQueue.CAPACITY);
    const appUuid = uuidFromId('app', appId);
    const newLanes = wanted.flatMap((endpoint): LaneState[] => {
      const lane = stored.get(endpoint.id);
      if (!lane) return [];
      return [
        {
          key: { appUuid, endpointUuid: uuidFromId('endpoint', endpoint.id) },
          endpoint,
          stored: lane,
          settledBeyond: settledBeyond.get(endpoint.id),
          retries: retries.get(endpoint.id),
        },
      ];
    });
    return { head, endpoints, newLanes };
  });
}
