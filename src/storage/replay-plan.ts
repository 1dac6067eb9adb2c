// What a replay would send, counted without sending: the same range, filters and rows as the lane goes by. The work is bounded: of a
// long range samples are counted, spread evenly from its beginning to its end, and the rest is estimated from them.
import type { LogEvent } from '../core/event.ts';
import { compileFilter } from '../core/filter.ts';
import { type FilterVersion, versionAt } from '../core/filter-versions.ts';
import { uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';
import { readEvents } from './events.ts';
import { LIVE_CURSOR_UUID } from './flush.ts';
import { positionsToReplay } from './replay-positions.ts';
import type { Replay } from './replays.ts';

/** Positions of one count, and how many are counted at most. */
const PLAN_CHUNK = 10_000;
const MAX_CHUNKS = 10;
/** Of one read of the events themselves. */
const READ_CHUNK = 1000;
const MAX_READ_BYTES = 4 * 1024 * 1024;
/** Failed or dead events that are looked at unless told; and how many of them are counted. */
export const MAX_PLANNED_FAILED = 20_000;
const FAILED_CHUNK = 5000;
const MAX_COUNTED = 1_000_000;

export interface ReplayPlan {
  events: number;
  /** Of their data, without envelopes. */
  bytes: number;
  /** The range was too long to count it whole: events and bytes are estimates. */
  approximate: boolean;
  /** When the first and the last of the events that were counted were appended, in milliseconds since 1970. */
  oldestMs: number | null;
  newestMs: number | null;
}

export interface PlannedReplay
  extends Pick<Replay, 'appId' | 'endpointId' | 'from' | 'to' | 'only' | 'types' | 'reason'> {
  /** Failed or dead events that are looked at, at most. */
  maxFailed?: number;
}

/** A count of events that a filter cannot tell apart. */
interface CountRow {
  config_version: number;
  type: string;
  channels: string[] | null;
  events: number;
  bytes: number;
  oldest_ms: number;
  newest_ms: number;
}

const COUNTS = `count(*) AS events, sum(octet_length(e.data)) AS bytes,
  min(date_part('epoch', e.appended_at)) * 1000 AS oldest_ms, max(date_part('epoch', e.appended_at)) * 1000 AS newest_ms`;

const COUNT_RANGE = {
  name: 'count_range_to_replay',
  text: `
SELECT e.config_version, e.type, e.channels, ${COUNTS} FROM events e
WHERE e.app_id = $1 AND e.day >= $2 AND e.position > $3 AND e.position <= $4
GROUP BY e.config_version, e.type, e.channels`,
} satisfies Query;

const COUNT_PLACES = {
  name: 'count_places_to_replay',
  text: `
SELECT 0::bigint AS config_version, e.type, NULL::text[] AS channels, ${COUNTS}
FROM unnest($2::bigint[], $3::date[]) AS p(position, day)
JOIN events e ON e.app_id = $1 AND e.position = p.position AND e.day = p.day
GROUP BY e.type`,
} satisfies Query;

/** Counts what a replay of the range would send now. `versions` are the endpoint's filters. */
export async function planReplay(
  db: Queryable,
  replay: PlannedReplay,
  versions: readonly FilterVersion[],
): Promise<ReplayPlan> {
  const byType = compileFilter(replay.types === null ? {} : { types: replay.types });
  if (replay.only !== 'all') {
    return await planFailed(db, { ...replay, only: replay.only }, (row) => byType.takes(headOf(row)));
  }
  if (versions.some(({ compiled }) => compiled.hasWhere)) {
    return await planEvents(
      db,
      replay,
      (event) => byType.takes(event) && versionAt(versions, event.configVersion).compiled.matches(event),
    );
  }
  return await planRange(db, replay, (row) => {
    const event = headOf(row);
    return byType.takes(event) && versionAt(versions, row.config_version).compiled.takes(event);
  });
}

function headOf({ type, channels }: CountRow) {
  return { type, channels: channels ?? [] };
}

async function planRange(
  db: Queryable,
  { appId, from, to }: PlannedReplay,
  matches: (row: CountRow) => boolean,
): Promise<ReplayPlan> {
  const count = new PlanCount();
  const appUuid = uuidFromId('app', appId);
  const length = to.position - from.position;
  const chunks = Math.min(Math.ceil(length / PLAN_CHUNK), MAX_CHUNKS);
  let looked = 0;
  for (let i = 0; i < chunks; i++) {
    const isSample = length > MAX_CHUNKS * PLAN_CHUNK;
    const offset = isSample ? Math.round((i * (length - PLAN_CHUNK)) / (chunks - 1)) : i * PLAN_CHUNK;
    const after = from.position + offset;
    const until = Math.min(after + PLAN_CHUNK, to.position);
    for (const row of await db.query<CountRow>(COUNT_RANGE, [appUuid, from.day, after, until])) {
      if (matches(row)) count.add(row);
    }
    looked += until - after;
  }
  return count.plan(looked === length ? 1 : length / looked);
}

/** Filters that look at the data: the events themselves are read, so of less of the range. */
async function planEvents(
  db: Queryable,
  { appId, from, to }: PlannedReplay,
  matches: (event: LogEvent) => boolean,
): Promise<ReplayPlan> {
  const count = new PlanCount();
  const length = to.position - from.position;
  const chunks = Math.min(Math.ceil(length / READ_CHUNK), MAX_CHUNKS);
  const isSample = length > MAX_CHUNKS * READ_CHUNK;
  let looked = 0;
  for (let i = 0; i < chunks; i++) {
    const offset = isSample ? Math.round((i * (length - READ_CHUNK)) / (chunks - 1)) : i * READ_CHUNK;
    const first = from.position + offset + 1;
    const last = Math.min(first + READ_CHUNK - 1, to.position);
    const events = await readEvents(db, {
      appId,
      from: first,
      to: last,
      day: from.day,
      lastDay: to.day,
      maxBytes: MAX_READ_BYTES,
    });
    for (const event of events) {
      if (!matches(event)) continue;
      const { appendedMs } = event;
      count.add({ events: 1, bytes: event.data.length, oldest_ms: appendedMs, newest_ms: appendedMs });
    }
    // Large events end a chunk early; what retention has dropped counts as looked at.
    const end = events.at(-1)?.position ?? last;
    looked += (events.reduce((sum, { data }) => sum + data.length, 0) < MAX_READ_BYTES ? last : end) - first + 1;
  }
  return count.plan(looked === length ? 1 : length / looked);
}

const COUNT_DEAD = `
SELECT 1 FROM dead WHERE app_id = $1 AND endpoint_id = $2 AND cursor_id = '${LIVE_CURSOR_UUID}' AND position > $3 AND position <= $4
  AND ($5::text IS NULL OR reason = $5::text)`;
const COUNT_RETRIES = `
SELECT 1 FROM retries WHERE app_id = $1 AND endpoint_id = $2 AND cursor_id = '${LIVE_CURSOR_UUID}' AND position > $3 AND position <= $4
  AND ($5::text IS NULL OR last_reason = $5::text)`;

const COUNT_ALL_DEAD = {
  name: 'count_dead_to_replay',
  text: `SELECT count(*) AS total FROM (${COUNT_DEAD} LIMIT ${MAX_COUNTED}) AS counted`,
} satisfies Query;

const COUNT_ALL_FAILED = {
  name: 'count_failed_to_replay',
  text: `SELECT count(*) AS total FROM (${COUNT_DEAD} UNION ALL ${COUNT_RETRIES} LIMIT ${MAX_COUNTED}) AS counted`,
} satisfies Query;

async function planFailed(
  db: Queryable,
  replay: PlannedReplay & { only: 'failed' | 'dead' },
  matches: (row: CountRow) => boolean,
): Promise<ReplayPlan> {
  const { appId, endpointId, only, reason, maxFailed = MAX_PLANNED_FAILED } = replay;
  const appUuid = uuidFromId('app', appId);
  const count = new PlanCount();
  let looked = 0;
  let after = replay.from.position;
  while (looked < maxFailed) {
    const limit = Math.min(FAILED_CHUNK, maxFailed - looked);
    const range = { appId, endpointId, only, reason, after, to: replay.to.position, limit };
    const places = await positionsToReplay(db, range);
    if (places.length > 0) {
      const values = [appUuid, places.map(({ position }) => position), places.map(({ day }) => day)];
      for (const row of await db.query<CountRow>(COUNT_PLACES, values)) if (matches(row)) count.add(row);
    }
    looked += places.length;
    if (places.length < limit) return count.plan(1);
    after = places[places.length - 1].position;
  }
  const [{ total }] = await db.query<{ total: number }>(only === 'dead' ? COUNT_ALL_DEAD : COUNT_ALL_FAILED, [
    appUuid,
    uuidFromId('endpoint', endpointId),
    replay.from.position,
    replay.to.position,
    reason,
  ]);
  return count.plan(Math.max(total / looked, 1));
}

class PlanCount {
  #events = 0;
  #bytes = 0;
  #oldestMs = Number.POSITIVE_INFINITY;
  #newestMs = Number.NEGATIVE_INFINITY;

  add(row: Omit<CountRow, 'config_version' | 'type' | 'channels'>): void {
    this.#events += row.events;
    this.#bytes += row.bytes;
    this.#oldestMs = Math.min(this.#oldestMs, row.oldest_ms);
    this.#newestMs = Math.max(this.#newestMs, row.newest_ms);
  }

  /** `factor`: how many times more there is than was looked at; 1 = all was. */
  plan(factor: number): ReplayPlan {
    const any = this.#events > 0;
    return {
      events: Math.round(this.#events * factor),
      bytes: Math.round(this.#bytes * factor),
      approximate: factor !== 1,
      oldestMs: any ? Math.round(this.#oldestMs) : null,
      newestMs: any ? Math.round(this.#newestMs) : null,
    };
  }
}
