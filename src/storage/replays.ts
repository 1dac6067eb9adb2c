// Replays as they are stored: created and cancelled by the API, loaded and moved on by the lane's owner. Progress is written by the
// flush.
import { TidingsError } from '../core/errors.ts';
import { idFromUuid, parseId, uuidFromId } from '../core/id.ts';
import { MAX_RUNNING_REPLAYS, type ReplayKind, type ReplayState } from '../core/replay.ts';
import { type CreationKey, claimCreation } from './creation-claim.ts';
import type { Database, Query, Queryable } from './database.ts';
import { noEndpoint } from './endpoints.ts';
import type { EventPlace } from './events.ts';

export interface Replay {
  id: string;
  appId: string;
  endpointId: string;
  /** Events after this place … */
  from: EventPlace;
  /** … up to and including this one. */
  to: EventPlace;
  only: ReplayKind;
  /** Exact types or patterns, as in an endpoint's filter; null = all. */
  types: string[] | null;
  /** Of the dead, only those that died of this reason; null = all. */
  reason: string | null;
  state: ReplayState;
  /** Everything of the range up to here is delivered, given up, of no interest, or waits for a retry. */
  settled: EventPlace;
  delivered: number;
  dead: number;
  createdAt: Date;
  finishedAt: Date | null;
}

interface ReplayRow {
  app_id: string;
  endpoint_id: string;
  replay_id: string;
  from_position: number;
  from_day: string;
  to_position: number;
  to_day: string;
  only_outcome: ReplayKind;
  types: string[] | null;
  reason: string | null;
  state: ReplayState;
  settled_through: number;
  settled_day: string;
  delivered: number;
  dead: number;
  created_at: Date;
  finished_at: Date | null;
}

const COLUMNS = `app_id, endpoint_id, replay_id, from_position, from_day, to_position, to_day, only_outcome, types, reason, state,
  settled_through, settled_day, delivered, dead, created_at, finished_at`;

function toReplay(row: ReplayRow): Replay {
  return {
    id: idFromUuid('replay', row.replay_id),
    appId: idFromUuid('app', row.app_id),
    endpointId: idFromUuid('endpoint', row.endpoint_id),
    from: { position: row.from_position, day: row.from_day },
    to: { position: row.to_position, day: row.to_day },
    only: row.only_outcome,
    types: row.types,
    reason: row.reason,
    state: row.state,
    settled: { position: row.settled_through, day: row.settled_day },
    delivered: row.delivered,
    dead: row.dead,
    createdAt: row.created_at,
    finishedAt: row.finished_at,
  };
}

/** The one answer for replays that do not exist or are another endpoint's. */
export function noReplay(ref: string): TidingsError {
  return new TidingsError('not_found', `There is no replay ${ref} of this endpoint.`);
}

// Locked, so that two calls at once cannot both be the last that the limit allows, and none slips in beside a pause.
const LOCK_ENDPOINT = {
  name: 'lock_endpoint_for_replay',
  text: `
SELECT paused_at IS NOT NULL AS is_paused, disabled_at IS NOT NULL AS is_disabled FROM endpoints
WHERE app_id = $1 AND endpoint_id = $2 AND deleted_at IS NULL FOR UPDATE`,
} satisfies Query;

const COUNT_RUNNING = {
  name: 'count_running_replays',
  text: `SELECT count(*) AS running FROM replays WHERE app_id = $1 AND endpoint_id = $2 AND state = 'running'`,
} satisfies Query;

// A range without a position has nothing to wait for.
const INSERT_REPLAY = {
  name: 'insert_replay',
  text: `
INSERT INTO replays (app_id, endpoint_id, replay_id, from_position, from_day, to_position, to_day, only_outcome, types, reason, state,
  settled_through, settled_day, created_at, finished_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text[], $10, CASE WHEN $4::bigint < $6::bigint THEN 'running' ELSE 'done' END,
  $4, $5, now(), CASE WHEN $4::bigint < $6::bigint THEN NULL ELSE now() END)
RETURNING ${COLUMNS}`,
} satisfies Query;

export interface NewReplay
  extends Pick<Replay, 'id' | 'appId' | 'endpointId' | 'from' | 'to' | 'only' | 'types' | 'reason'> {
  /** Counts within the endpoint. */
  idempotency: CreationKey | null;
}

/**
 * Creates a replay, or with an idempotency key that was used for the same body returns the one made then.
 * @throws TidingsError `not_found`, `endpoint_paused`, `conflict` (too many are running), `idempotency_conflict`
 */
export async function createReplay(db: Database, replay: NewReplay): Promise<Replay> {
  const { id, appId, endpointId, from, to, only, types, reason, idempotency } = replay;
  const place = [uuidFromId('app', appId), uuidFromId('endpoint', endpointId)];
  return await db.transaction(async (tx) => {
    const earlierId = await claimCreation(tx, { appId, kind: 'replay', within: endpointId, id, idempotency });
    if (earlierId !== null) return await earlierReplay(tx, { appId, endpointId, replayId: earlierId });
    const [endpoint] = await tx.query<{ is_paused: boolean; is_disabled: boolean }>(LOCK_ENDPOINT, place);
    if (endpoint === undefined) throw noEndpoint(endpointId);
    if (endpoint.is_paused || endpoint.is_disabled) {
      const state = endpoint.is_disabled ? 'disabled' : 'paused';
      throw new TidingsError(
        'endpoint_paused',
        `The endpoint ${endpointId} is ${state}: nothing would be sent. Resume it, then replay.`,
      );
    }
    const [{ running }] = await tx.query<{ running: number }>(COUNT_RUNNING, place);
    if (running >= MAX_RUNNING_REPLAYS) {
      throw new TidingsError(
        'conflict',
        `The endpoint ${endpointId} has ${running} replays running, the most there can be. Wait until one is done, or cancel one.`,
      );
    }
    const values = [
      ...place,
      uuidFromId('replay', id),
      from.position,
      from.day,
      to.position,
      to.day,
      only,
      types,
      reason,
    ];
    const [row] = await tx.query<ReplayRow>(INSERT_REPLAY, values);
    return toReplay(row);
  });
}

interface ReplayPlace {
  appId: string;
  endpointId: string;
  replayId: string;
}

async function earlierReplay(tx: Queryable, place: ReplayPlace): Promise<Replay> {
  const replay = await findReplay(tx, place);
  if (replay === null) throw noReplay(place.replayId);
  return replay;
}

const FIND_REPLAY = {
  name: 'find_replay',
  text: `SELECT ${COLUMNS} FROM replays WHERE app_id = $1 AND endpoint_id = $2 AND replay_id = $3`,
} satisfies Query;

/** A replay of the endpoint; null when there is none with that id. */
export async function findReplay(db: Queryable, place: ReplayPlace): Promise<Replay | null> {
  const replayUuid = parseId('replay', place.replayId);
  if (replayUuid === null) return null;
  const values = [uuidFromId('app', place.appId), uuidFromId('endpoint', place.endpointId), replayUuid];
  const [row] = await db.query<ReplayRow>(FIND_REPLAY, values);
  return row === undefined ? null : toReplay(row);
}

const LIST_REPLAYS = {
  name: 'list_replays',
  text: `
SELECT ${COLUMNS} FROM replays
WHERE app_id = $1 AND endpoint_id = $2 AND ($4::uuid IS NULL OR replay_id < $4::uuid)
ORDER BY replay_id DESC LIMIT $3`,
} satisfies Query;

/** Newest first; `before` is the id of the last replay of the page before. */
export async function listReplays(
  db: Queryable,
  place: { appId: string; endpointId: string },
  page: { limit: number; before: string | null },
): Promise<Replay[]> {
  const before = page.before === null ? null : uuidFromId('replay', page.before);
  const values = [uuidFromId('app', place.appId), uuidFromId('endpoint', place.endpointId), page.limit, before];
  return (await db.query<ReplayRow>(LIST_REPLAYS, values)).map(toReplay);
}

const LIST_RUNNING = {
  name: 'list_running_replays',
  text: `
SELECT ${COLUMNS} FROM replays
WHERE app_id = $1 AND endpoint_id = $2 AND state = 'running' ORDER BY replay_id LIMIT ${MAX_RUNNING_REPLAYS}`,
} satisfies Query;

/** The replays of an endpoint that are under way, oldest first. */
export async function listRunningReplays(
  db: Queryable,
  place: { appId: string; endpointId: string },
): Promise<Replay[]> {
  const values = [uuidFromId('app', place.appId), uuidFromId('endpoint', place.endpointId)];
  return (await db.query<ReplayRow>(LIST_RUNNING, values)).map(toReplay);
}

const CANCEL_REPLAY = {
  name: 'cancel_replay',
  text: `
UPDATE replays SET state = 'cancelled', finished_at = now()
WHERE app_id = $1 AND endpoint_id = $2 AND replay_id = $3 AND state = 'running' RETURNING replay_id`,
} satisfies Query;

const DROP_REPLAY_RETRIES = {
  name: 'drop_replay_retries',
  text: `DELETE FROM retries WHERE app_id = $1 AND endpoint_id = $2 AND cursor_id = $3`,
} satisfies Query;

/** Ends a running replay with its retries, and leaves one that is done or cancelled as it is. @throws TidingsError `not_found` */
export async function cancelReplay(db: Database, place: ReplayPlace): Promise<Replay> {
  const replayUuid = parseId('replay', place.replayId);
  if (replayUuid === null) throw noReplay(place.replayId);
  const values = [uuidFromId('app', place.appId), uuidFromId('endpoint', place.endpointId), replayUuid];
  return await db.transaction(async (tx) => {
    const cancelled = await tx.query(CANCEL_REPLAY, values);
    if (cancelled.length > 0) await tx.query(DROP_REPLAY_RETRIES, values);
    return await earlierReplay(tx, place);
  });
}

/** What a lane needs of a running replay. */
export interface StoredReplay {
  replayId: string;
  replayUuid: string;
  endpointId: string;
  /** Exclusive, as a cursor: the first event of the range stands after it. */
  fromPosition: number;
  fromDay: string;
  /** Inclusive. */
  toPosition: number;
  toDay: string;
  only: ReplayKind;
  types: string[] | null;
  reason: string | null;
  settledThrough: number;
  settledDay: string;
  lowAttemptUuid: string | null;
  delivered: number;
  dead: number;
}

const LOAD_RUNNING = {
  name: 'load_running_replays',
  text: `
SELECT ${COLUMNS}, low_attempt_id
FROM replays WHERE app_id = $1 AND endpoint_id = ANY ($2::uuid[]) AND state = 'running' ORDER BY endpoint_id, replay_id`,
} satisfies Query;

/** The running replays of some endpoints of an app, the oldest of each endpoint first, in the snapshot of `db`. */
export async function loadRunningReplays(
  db: Queryable,
  appId: string,
  endpointUuids: string[],
): Promise<StoredReplay[]> {
  const rows = await db.query<ReplayRow & { low_attempt_id: string | null }>(LOAD_RUNNING, [
    uuidFromId('app', appId),
    endpointUuids,
  ]);
  return rows.map((row) => ({
    replayId: idFromUuid('replay', row.replay_id),
    replayUuid: row.replay_id,
    endpointId: idFromUuid('endpoint', row.endpoint_id),
    fromPosition: row.from_position,
    fromDay: row.from_day,
    toPosition: row.to_position,
    toDay: row.to_day,
    only: row.only_outcome,
    types: row.types,
    reason: row.reason,
    settledThrough: row.settled_through,
    settledDay: row.settled_day,
    lowAttemptUuid: row.low_attempt_id,
    delivered: row.delivered,
    dead: row.dead,
  }));
}
