// The Idempotency-Key of calls that create a thing: a claim (design rule 7) whose result is the thing's id. Its keys begin
// with 'c:', so that they never meet those of publishing.
import { TidingsError } from '../core/errors.ts';
import type { Queryable } from './database.ts';
import { claimKeys, findKeys } from './idempotency-keys.ts';

export interface CreationKey {
  key: string;
  bodyHash: Buffer;
}

interface CreationClaim {
  appId: string;
  kind: 'app' | 'endpoint' | 'replay' | 'source';
  /** The thing within which the key counts, when that is not the app: its id. */
  within?: string;
  /** The id the thing will have if it is created now. */
  id: string;
  idempotency: CreationKey | null;
}

/**
 * Takes the claim within the creating transaction. Returns null when it is won (or there is no key): create the thing; else
 * the id of what the key has created before. @throws TidingsError `idempotency_conflict`
 */
export async function claimCreation(tx: Queryable, claim: CreationClaim): Promise<string | null> {
  if (claim.idempotency === null) return null;
  const scope = claim.within === undefined ? claim.kind : `${claim.kind}:${claim.within}`;
  const key = `c:${scope}:${claim.idempotency.key}`;
  const { bodyHash } = claim.idempotency;
  const [won] = await claimKeys(tx, [{ appId: claim.appId, key, bodyHash, resultIds: [claim.id] }]);
  if (won) return null;
  const earlier = (await findKeys(tx, claim.appId, [key])).get(key);
  if (earlier === undefined) {
    throw new TidingsError(
      'unavailable',
      'The Idempotency-Key expired while it was looked up. Send the request again.',
    );
  }
  if (!earlier.bodyHash.equals(bodyHash)) {
    throw new TidingsError(
      'idempotency_conflict',
      `The Idempotency-Key ${claim.idempotency.key} was used with another body. Use a new key for a new request.`,
    );
  }
  return earlier.resultIds[0];
}
