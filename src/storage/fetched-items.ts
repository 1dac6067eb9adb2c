// The items that a source has fetched, as far as it remembers them: their keys, and a digest each of what they are compared by.
import { uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';

export interface SourcePlace {
  appId: string;
  sourceId: string;
}

export interface StoredItem {
  version: string;
  missed: number;
}

interface ItemRow {
  item_key: string;
  version: string;
  missed: number;
}

const FIND_ITEMS = {
  name: 'find_fetched_items',
  text: `SELECT item_key, version, missed FROM fetched_items WHERE app_id = $1 AND source_id = $2 AND item_key = ANY ($3::text[])`,
} satisfies Query;

const ALL_ITEMS = {
  name: 'all_fetched_items',
  text: `SELECT item_key, version, missed FROM fetched_items WHERE app_id = $1 AND source_id = $2`,
} satisfies Query;

/** Those of the keys that are known, or with null all that are. */
export async function findItems(
  db: Queryable,
  place: SourcePlace,
  keys: readonly string[] | null,
): Promise<Map<string, StoredItem>> {
  const at = uuids(place);
  const rows =
    keys === null ? await db.query<ItemRow>(ALL_ITEMS, at) : await db.query<ItemRow>(FIND_ITEMS, [...at, keys]);
  return new Map(rows.map(({ item_key, version, missed }) => [item_key, { version, missed }]));
}

// By a join: a source that is being deleted gets no item that outlives it.
const REMEMBER = {
  name: 'remember_fetched_items',
  text: `
INSERT INTO fetched_items (app_id, source_id, item_key, version, missed, seen_at)
SELECT s.app_id, s.source_id, i.item_key, i.version, i.missed, now()
FROM unnest($3::text[], $4::text[], $5::smallint[]) AS i(item_key, version, missed)
JOIN sources s ON s.app_id = $1 AND s.source_id = $2
ON CONFLICT (app_id, source_id, item_key) DO UPDATE
SET version = excluded.version, missed = CASE WHEN excluded.missed = 0 THEN 0 ELSE fetched_items.missed + 1 END, seen_at = now()`,
} satisfies Query;

const FORGET = {
  name: 'forget_fetched_items',
  text: `DELETE FROM fetched_items WHERE app_id = $1 AND source_id = $2 AND item_key = ANY ($3::text[])`,
} satisfies Query;

const FORGET_ALL = {
  name: 'forget_all_fetched_items',
  text: `DELETE FROM fetched_items WHERE app_id = $1 AND source_id = $2`,
} satisfies Query;

export interface ItemChanges {
  /** What was remembered before counts no more. */
  forgetAll: boolean;
  /** `missed`: it was not in the answer, once more. */
  remember: readonly { key: string; version: string; missed: boolean }[];
  forget: readonly string[];
}

/** Within the transaction that appends what the changes tell. */
export async function changeItems(
  tx: Queryable,
  place: SourcePlace,
  { forgetAll, remember, forget }: ItemChanges,
): Promise<void> {
  const at = uuids(place);
  if (forgetAll) await tx.query(FORGET_ALL, at);
  if (forget.length > 0) await tx.query(FORGET, [...at, forget]);
  if (remember.length === 0) return;
  const columns = [
    remember.map(({ key }) => key),
    remember.map(({ version }) => version),
    remember.map(({ missed }) => (missed ? 1 : 0)),
  ];
  await tx.query(REMEMBER, [...at, ...columns]);
}

// Seldom written: once a day for an item that is in every answer.
const TOUCH = {
  name: 'touch_fetched_items',
  text: `
UPDATE fetched_items SET seen_at = now()
WHERE app_id = $1 AND source_id = $2 AND item_key = ANY ($3::text[]) AND seen_at < now() - interval '1 day'`,
} satisfies Query;

const PRUNE = {
  name: 'prune_fetched_items',
  text: `DELETE FROM fetched_items WHERE app_id = $1 AND source_id = $2 AND seen_at < now() - make_interval(days => $3)`,
} satisfies Query;

/** Keeps what was seen now, and drops what has not been for so many days. */
export async function keepSeen(
  db: Queryable,
  place: SourcePlace,
  { keys, days }: { keys: readonly string[]; days: number },
): Promise<void> {
  const at = uuids(place);
  await db.query(TOUCH, [...at, keys]);
  await db.query(PRUNE, [...at, days]);
}

function uuids({ appId, sourceId }: SourcePlace): [string, string] {
  return [uuidFromId('app', appId), uuidFromId('source', sourceId)];
}
