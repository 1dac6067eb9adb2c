// What becomes of an append whose key was taken by another: it is answered as the other was, refused when it brings another body, and
// what is new in it is still to be appended.
import { TidingsError } from '../core/errors.ts';
import type { Queryable } from '../storage/database.ts';
import { findPlaces } from '../storage/events.ts';
import { findKeys, type KeyRow } from '../storage/idempotency-keys.ts';
import { findScheduledIds } from '../storage/scheduled.ts';
import { SOURCE_KEY_PREFIX } from './claim.ts';
import { type AppendedEvent, answer, type PendingAppend, partialOf } from './pending-append.ts';
import { keysOf } from './take-claims.ts';

/** Answers or refuses the append, or says `again`: what is left of it goes back into the queue. Reads after the winner has committed. */
export async function resolveDuplicate(db: Queryable, pending: PendingAppend): Promise<'settled' | 'again'> {
  if (pending.claim?.kind === 'state') {
    const detail =
      'The source was changed, or fetched by another process, while this run was under way. Nothing of it was stored.';
    pending.reject(new TidingsError('conflict', detail));
    return 'settled';
  }
  const keys = keysOf(pending);
  const rows = await findKeys(
    db,
    pending.appId,
    keys.map((claim) => claim.key),
  );
  const received = keys[0].key.startsWith(SOURCE_KEY_PREFIX) ? rows.get(keys[0].key) : undefined;
  if (received !== undefined) {
    // Where the event stands its sender does not ask, and it may have been dropped since: it has come before, and that is all.
    pending.resolve(received.resultIds.map((id) => ({ id, position: null, day: null, duplicate: true })));
    return 'settled';
  }
  const conflict = keys.find((claim) => rows.get(claim.key)?.bodyHash.equals(claim.bodyHash) === false);
  if (conflict) {
    const what = conflict.key.startsWith('k:') ? 'Idempotency-Key' : 'event id';
    const detail = `The ${what} ${conflict.key.slice(2)} was used before with another body. Use a new one, or send the same body.`;
    pending.reject(new TidingsError('idempotency_conflict', detail));
    return 'settled';
  }
  const header = keys.find((claim) => claim.key.startsWith('k:'));
  const earlier = header && rows.get(header.key);
  const known = earlier ? earlier.resultIds : knownIds(pending, rows);
  const duplicates = await findAppended(db, pending.appId, known);
  const missing = known.find((id) => !duplicates.has(id));
  if (missing !== undefined) {
    const detail = `The event ${missing} was published before, but it was cancelled, or retention has dropped it. Use a new id or Idempotency-Key.`;
    pending.reject(new TidingsError('idempotency_conflict', detail));
    return 'settled';
  }
  if (earlier) {
    pending.resolve(known.map((id) => duplicates.get(id)!));
    return 'settled';
  }
  const partial = partialOf(pending);
  for (const [id, event] of duplicates) partial.known.set(id, event);
  pending.events = pending.events.filter((event) => !duplicates.has(event.id));
  pending.claim = { kind: 'keys', keys: keys.filter((claim) => !rows.has(claim.key)) };
  if (pending.events.length > 0) return 'again';
  pending.deferring = [];
  answer(pending, []);
  return 'settled';
}

function knownIds(pending: PendingAppend, rows: Map<string, KeyRow>): string[] {
  return pending.events.map((event) => event.id).filter((id) => rows.has(`e:${id}`));
}

/** Where the events stand, in the log or among those that wait. One that is appended meanwhile is looked for in the log once more. */
async function findAppended(db: Queryable, appId: string, ids: string[]): Promise<Map<string, AppendedEvent>> {
  const found = new Map<string, AppendedEvent>();
  const missing = (): string[] => ids.filter((id) => !found.has(id));
  const readLog = async (): Promise<void> => {
    for (const [id, place] of await findPlaces(db, appId, missing())) found.set(id, { id, ...place, duplicate: true });
  };
  await readLog();
  if (missing().length === 0) return found;
  for (const id of await findScheduledIds(db, appId, missing())) {
    found.set(id, { id, position: null, day: null, duplicate: true });
  }
  if (missing().length > 0) await readLog();
  return found;
}
