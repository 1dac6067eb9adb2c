// What an endpoint is sent in format `standard` (api.md; Standard Webhooks 1.0.0, "Webhook format" and "Signature scheme").
import { standardBatchBody, standardBody } from '../core/envelope.ts';
import type { LogEvent } from '../core/event.ts';
import { idFromUuid } from '../core/id.ts';
import { signStandard } from '../core/signature.ts';
import type { DeliveryBatch } from './delivery-batch.ts';
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
  return {
    headers: {
      ...headersOf(endpoint, { id: event.id, startedMs, body, version }),
      'tidings-attempt': String(attempt.attempt),
      'tidings-position': String(event.position),
    },
    body,
  };
}

/** A batch: an id of its own, one signature over the array, and how many events are in it; `tidings-position` is that of the last. */
export function buildBatch(batch: DeliveryBatch, version: string): DeliveryRequest {
  const { attempts, endpoint, startedMs } = batch;
  const body = standardBatchBody(batch.events);
  const id = idFromUuid('batch', batch.batchUuid);
  return {
    headers: {
      ...headersOf(endpoint, { id, startedMs, body, version }),
      'tidings-attempt': String(Math.max(...attempts.map(({ attempt }) => attempt))),
      'tidings-position': String(attempts[attempts.length - 1].event.position),
      'tidings-batch-size': String(attempts.length),
    },
    body,
  };
}

function headersOf(
  endpoint: LoadedEndpoint,
  request: { id: string; startedMs: number; body: Buffer; version: string },
): Record<string, string> {
  const { id, startedMs, body } = request;
  const timestamp = Math.floor(startedMs / 1000);
  return {
    ...endpoint.config.headers,
    'content-type': 'application/json',
    'user-agent': `Tidings/${request.version}`,
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signStandard(endpoint.keys(startedMs), id, timestamp, body),
  };
}
