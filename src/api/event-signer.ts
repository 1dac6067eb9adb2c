import { standardBody } from '../core/envelope.ts';
import type { LogEvent } from '../core/event.ts';
import { parseSecret, signStandard } from '../core/signature.ts';
import type { SignedBody } from '../pull/log-format.ts';
import { loadSecrets } from '../storage/endpoint-secrets.ts';
import type { ApiContext } from './context.ts';
import { knownEndpoint } from './known-endpoint.ts';

/**
 * Signs events as they are sent to an endpoint, with its current secrets and the time of signing: what verifies webhooks verifies these.
 * @throws TidingsError not_found
 */
export async function eventSigner(
  context: ApiContext,
  appId: string,
  endpointRef: string,
): Promise<(event: LogEvent) => SignedBody> {
  const { db, box, now } = context;
  const endpoint = await knownEndpoint(context, appId, endpointRef);
  const keys = (await loadSecrets(db, box, appId, endpoint.id)).map(({ secret }) => parseSecret(secret));
  return (event) => {
    const body = standardBody(event);
    const timestamp = Math.floor(now() / 1000);
    const signature = signStandard(keys, event.id, timestamp, body);
    return {
      headers: { 'webhook-id': event.id, 'webhook-timestamp': String(timestamp), 'webhook-signature': signature },
      body,
    };
  };
}
