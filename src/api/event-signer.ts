import { standardBody } from '../core/envelope.ts';
import { TidingsError } from '../core/errors.ts';
import type { LogEvent } from '../core/event.ts';
import { parseSecret, signStandard } from '../core/signature.ts';
import { schemeName } from '../core/signing/signing.ts';
import type { SignedBody } from '../pull/log-format.ts';
import { loadSecrets } from '../storage/endpoint-secrets.ts';
import type { ApiContext } from './context.ts';
import { knownEndpoint } from './known-endpoint.ts';

/**
 * Signs events as they are sent to an endpoint, with its current secrets and the time of signing: what verifies webhooks verifies these.
 * @throws TidingsError not_found; conflict for an endpoint that signs by another scheme
 */
export async function eventSigner(
  context: ApiContext,
  appId: string,
  endpointRef: string,
): Promise<(event: LogEvent) => SignedBody> {
  const { db, box, now } = context;
  const endpoint = await knownEndpoint(context, appId, endpointRef);
  const { signing } = endpoint.config;
  if (signing !== 'v1' && signing !== 'v1a') {
    throw new TidingsError(
      'conflict',
      `The endpoint ${endpointRef} has the signing ${schemeName(signing)}, and the log can be read with Standard Webhooks signatures only. Read what it is sent with GET …/endpoints/${endpointRef}/events?signatures=true.`,
    );
  }
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
