import { TidingsError } from '../core/errors.ts';
import type { SecretBox } from '../core/secret-box.ts';
import { type Source, WEBHOOK_SECRET } from '../core/source.ts';
import type { Database } from '../storage/database.ts';
import { updateSource } from '../storage/source-changes.ts';

/**
 * Keeps the secret that a provider gave in its handshake, if the source has none: who asks later may be anyone.
 * @throws TidingsError `conflict`, `not_found`
 */
export async function learnSecret(
  db: Database,
  box: SecretBox,
  { source, secret, secretUuid }: { source: Pick<Source, 'appId' | 'id'>; secret: string; secretUuid: string },
): Promise<void> {
  await updateSource(db, box, { appId: source.appId, sourceId: source.id }, (stored) => {
    if (stored.secretNames.includes(WEBHOOK_SECRET)) {
      throw new TidingsError('conflict', `The source ${source.id} has been given a secret meanwhile.`);
    }
    return {
      uid: stored.uid,
      config: stored.config,
      lifecycle: 'keep',
      isFetched: stored.config.fetch !== undefined,
      secrets: { names: [], secrets: [{ name: WEBHOOK_SECRET, secret, secretUuid }] },
    };
  });
}
