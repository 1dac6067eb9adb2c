// The claims of a batch, taken in the transaction of its append and before the heads (design rule 7).
import type { Queryable } from '../storage/database.ts';
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
  let at = 0;
  for (const pending of batch) {
    const keys = keysOf(pending);
    const mine = won.slice(at, at + keys.length);
    at += keys.length;
    if (mine.every(Boolean)) {
      held.push(pending);
    } else {
      lost.push(pending);
      giveBack.push(...keys.filter((_, i) => mine[i]));
    }
  }
  await releaseKeys(tx, giveBack);
  for (const pending of held) {
    pending.deferring = [];
    pending.appending =
      pending.claim?.kind === 'due' ? await claimDue(tx, pending.appId, pending.claim) : pending.events;
  }
  return { held, lost };
}

/** Gives back the keys of appends that come to nothing, within the transaction that took them. */
export async function releaseClaims(tx: Queryable, appends: PendingAppend[]): Promise<void> {
  await releaseKeys(tx, appends.flatMap(keysOf));
}

export function keysOf({ claim }: PendingAppend): KeyClaim[] {
  return claim?.kind === 'keys' ? claim.keys : [];
}
