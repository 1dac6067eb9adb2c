// What an endpoint is sent in format `standard` (api.md; Standard Webhooks 1.0.0, "Webhook format" and "Signature scheme").
import { standardBody } from '../core/envelope.ts';
import type { LogEvent } from '../core/event.ts';
import { signStandard } from '../core/signature.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';

export interface DeliveryRequest {
  headers: Record<string, string>;
  body: Buffer;
}

/** The body is the same in every attempt; timestamp and signature are of this one. */
export function buildRequest(
  endpoint: LoadedEndpoint,
  attempt: {
    event: Pick<LogEvent, 'id' | 'type' | 'timeMs' | 'data' | 'position'>;
    attempt: number;
    startedMs: number;
  },
  version: string,
): DeliveryRequest {
  const { event, startedMs } = attempt;
  const body = standardBody(event);
  const timestamp = Math.floor(startedMs / 1000);
  return {
    headers: {
      ...endpoint.config.headers,
      'content-type': 'application/json',
      'user-agent': `Tidings/${version}`,
      'webhook-id': event.id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signStandard(endpoint.keys(startedMs), event.id, timestamp, body),
      'tidings-attempt': String(attempt.attempt),
      'tidings-position': String(event.position),
    },
    body,
  };
}
