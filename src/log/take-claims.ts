// The claims of a batch, taken in the transaction of its append and before the heads (design rule 7).
import type { NewEvent } from '../core/event.ts';
import type { Queryable } from '../storage/database.ts';
import { advanceState } from '../storage/fetch-state.ts';
import { claimKeys, type KeyClaim, releaseKeys } from '../storage/idempotency-keys.ts';
import { claimDue } from '../storage/scheduled.ts';
import type { PendingAppend } from './pending-append.ts';

/**
 * Takes the claims of a batch, in which no claim is held twice. Who lost one gives back its others; who holds all finds in `appending`
 * what it may append.
 */
export async function takeClaims(
  tx: Queryable,
  batch: PendingAppend[],
  { keyHours }: { keyHours: number },
): Promise<{ held: PendingAppend[]; lost: PendingAppend[] }> {
  const won = await claimKeys(tx, batch.flatMap(keysOf), keyHours);
  const held: PendingAppend[] = [];
  const lost: PendingAppend[] = [];
  const giveBack: KeyClaim[] = [];
  /** Of appends that leave out what is known: the keys that others have. */
  const known = new Map<PendingAppend, Set<KeyClaim>>();
  let at = 0;
  for (const pending of batch) {
    const keys = keysOf(pending);
    const mine = won.slice(at, at + keys.length);
    at += keys.length;
    if (pending.claim?.kind === 'state' ? await advanceState(tx, pending.claim.advance) : mine.every(Boolean)) {
      held.push(pending);
      if (pending.claim?.kind === 'state') known.set(pending, new Set(keys.filter((_, i) => !mine[i])));
    } else {
      lost.push(pending);
      giveBack.push(...keys.filter((_, i) => mine[i]));
    }
  }
  await releaseKeys(tx, giveBack);
  for (const pending of held) {
    pending.deferring = [];
    pending.appending = await appendingOf(tx, pending, known.get(pending));
  }
  return { held, lost };
}

async function appendingOf(
  tx: Queryable,
  { appId, events, claim }: PendingAppend,
  known: ReadonlySet<KeyClaim> | undefined,
): Promise<NewEvent[]> {
  if (claim?.kind === 'due') return claimDue(tx, appId, claim);
  if (claim?.kind !== 'state' || known === undefined || known.size === 0) return events;
  return events.filter((_, n) => claim.keys[n] === null || !known.has(claim.keys[n]));
}

/** Gives back the keys of appends that come to nothing, within the transaction that took them. */
export async function releaseClaims(tx: Queryable, appends: PendingAppend[]): Promise<void> {
  await releaseKeys(tx, appends.flatMap(keysOf));
}

export function keysOf({ claim }: PendingAppend): KeyClaim[] {
  if (claim?.kind === 'state') return claim.keys.filter((key) => key !== null);
  return claim?.kind === 'keys' ? claim.keys : [];
}
