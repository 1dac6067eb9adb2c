// Reads an app for its lanes in one snapshot: configuration, keys, and for lanes that are new to this process their kept state. A snapshot,
// because the configuration version, the head and what is settled must be of one moment (design rules 1 and 4).
import { uuidFromId } from '../core/id.ts';
import type { SecretBox } from '../core/secret-box.ts';
import type { Database, Queryable } from '../storage/database.ts';
import { loadCredentials } from '../storage/endpoint-credentials.ts';
import { loadSecretsOfApp } from '../storage/endpoint-secrets.ts';
import { loadEndpointsOfApp } from '../storage/endpoints.ts';
import { LIVE_CURSOR_UUID } from '../storage/flush.ts';
import type { Head } from '../storage/heads.ts';
import { loadLanes, loadReplayedBeyond, loadSettledBeyond } from '../storage/lanes.ts';
import { loadRunningReplays } from '../storage/replays.ts';
import { cursorKey, loadRetries, type StoredRetries } from '../storage/retries.ts';
import type { LaneParts } from './lane.ts';
import type { RunningReplay } from './lane-replays.ts';
import { type LoadedEndpoint, loadEndpoint, type ServerRules } from './loaded-endpoint.ts';
import { RetryQueue } from './retry-queue.ts';

/** What a lane begins with. */
export type LaneState = Omit<LaneParts, 'host' | 'appId'>;

export interface LoadedApp {
  head: Head;
  /** All live ones, or those changed since the configuration version that was asked from. */
  endpoints: LoadedEndpoint[];
  /** Deleted since then. */
  deleted: string[];
  newLanes: LaneState[];
}

/** What a load is to bring. */
export interface Wanted {
  /** Only what was changed after this configuration version; -1 = everything. */
  since: number;
  /** Of which endpoints the lane state is. */
  isNew: (endpoint: LoadedEndpoint) => boolean;
}

/** The app as of now; null when it does not exist. */
export function loadApp(
  parts: { db: Database; box: SecretBox; rules: ServerRules },
  appId: string,
  { since, isNew }: Wanted,
): Promise<LoadedApp | null> {
  return parts.db.snapshot(async (tx) => {
    const app = await loadEndpointsOfApp(tx, appId, since);
    if (!app) return null;
    const ids = since < 0 ? null : app.endpoints.map(({ id }) => id);
    const secrets = await loadSecretsOfApp(tx, parts.box, appId, ids);
    const hasAuth = app.endpoints.some(({ config }) => config.auth !== null);
    const credentials = hasAuth ? await loadCredentials(tx, parts.box, appId, ids) : null;
    const endpoints = app.endpoints.map((endpoint) =>
      loadEndpoint(endpoint, secrets.get(endpoint.id) ?? [], parts.rules, credentials?.get(endpoint.id) ?? null),
    );
    const head = { position: app.lastPosition, day: app.lastDay, configVersion: app.configVersion };
    const wanted = endpoints.filter(isNew);
    const newLanes = wanted.length === 0 ? [] : await loadLaneStates(tx, appId, head, wanted);
    return { head, endpoints, deleted: app.deleted, newLanes };
  });
}

async function loadLaneStates(
  tx: Queryable,
  appId: string,
  head: Head,
  wanted: LoadedEndpoint[],
): Promise<LaneState[]> {
  const uuids = wanted.map((endpoint) => uuidFromId('endpoint', endpoint.id));
  const stored = new Map((await loadLanes(tx, appId, uuids)).map((lane) => [lane.endpointId, lane]));
  const lagging = [...stored.values()]
    .filter((lane) => lane.settledThrough < head.position)
    .map((lane) => uuidFromId('endpoint', lane.endpointId));
  const settledBeyond = lagging.length === 0 ? new Map() : await loadSettledBeyond(tx, appId, lagging);
  const retries = await loadRetries(tx, appId, uuids, RetryQueue.CAPACITY);
  const replays = await loadReplays(tx, appId, uuids, retries);
  const appUuid = uuidFromId('app', appId);
  return wanted.flatMap((endpoint): LaneState[] => {
    const lane = stored.get(endpoint.id);
    if (!lane) return [];
    return [
      {
        key: { appUuid, endpointUuid: uuidFromId('endpoint', endpoint.id) },
        endpoint,
        stored: lane,
        state: {
          settledBeyond: settledBeyond.get(endpoint.id),
          lowAttemptUuid: lane.lowAttemptUuid,
          retries: retries.get(cursorKey(endpoint.id, LIVE_CURSOR_UUID)),
        },
        replays: replays.get(endpoint.id) ?? [],
      },
    ];
  });
}

/** The replays of one endpoint that run as of now. */
export function loadReplaysOf(db: Database, place: { appId: string; endpointId: string }): Promise<RunningReplay[]> {
  const { appId, endpointId } = place;
  const uuids = [uuidFromId('endpoint', endpointId)];
  return db.snapshot(async (tx) => {
    const retries = await loadRetries(tx, appId, uuids, RetryQueue.CAPACITY);
    return (await loadReplays(tx, appId, uuids, retries)).get(endpointId) ?? [];
  });
}

/** By endpoint. */
async function loadReplays(
  tx: Queryable,
  appId: string,
  endpointUuids: string[],
  retries: Map<string, StoredRetries>,
): Promise<Map<string, RunningReplay[]>> {
  const running = new Map<string, RunningReplay[]>();
  const replays = await loadRunningReplays(tx, appId, endpointUuids);
  if (replays.length === 0) return running;
  const settledBeyond = await loadReplayedBeyond(tx, appId, endpointUuids);
  for (const replay of replays) {
    const key = cursorKey(replay.endpointId, replay.replayUuid);
    const { lowAttemptUuid } = replay;
    const state = { settledBeyond: settledBeyond.get(key), lowAttemptUuid, retries: retries.get(key) };
    const ofEndpoint = running.get(replay.endpointId);
    if (ofEndpoint) ofEndpoint.push({ replay, state });
    else running.set(replay.endpointId, [{ replay, state }]);
  }
  return running;
}
