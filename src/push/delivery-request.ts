// What an endpoint is sent: the body in its format, `standard` unless it asks for another (api.md; Standard Webhooks 1.0.0, "Webhook format"
// and "Signature scheme").
import { standardBatchBody, standardBody } from '../core/envelope.ts';
import { FormatError, type FormattedBody, type FormattedEvent } from '../core/formats/event-format.ts';
import { idFromUuid } from '../core/id.ts';
import { signStandard } from '../core/signature.ts';
import type { DeliveryBatch } from './delivery-batch.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';

export interface DeliveryRequest {
  headers: Record<string, string>;
  body: Buffer;
}

/** The body is the same in every attempt; timestamp and signature are of this one. @throws FormatError */
export function buildRequest(
  endpoint: LoadedEndpoint,
  attempt: { event: FormattedEvent; attempt: number; startedMs: number },
  version: string,
): DeliveryRequest {
  const { event, startedMs } = attempt;
  const formatted = endpoint.format === null ? null : endpoint.format.one(event);
  const body = formatted === null ? standardBody(event) : formatted.body;
  return {
    headers: {
      ...headersOf(endpoint, { id: event.id, startedMs, body, version }, formatted),
      'tidings-attempt': String(attempt.attempt),
      'tidings-position': String(event.position),
    },
    body,
  };
}

/** A batch: an id of its own, one signature over the array, and how many events are in it; `tidings-position` is that of the last. @throws FormatError */
export function buildBatch(batch: DeliveryBatch, version: string): DeliveryRequest {
  const { attempts, endpoint, startedMs } = batch;
  const { format } = endpoint;
  if (format !== null && format.many === null)
    throw new FormatError("The endpoint's format has no form for several events.");
  const formatted = format === null ? null : format.many!(batch.events);
  const body = formatted === null ? standardBatchBody(batch.events) : formatted.body;
  const id = idFromUuid('batch', batch.batchUuid);
  return {
    headers: {
      ...headersOf(endpoint, { id, startedMs, body, version }, formatted),
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
  formatted: FormattedBody | null,
): Record<string, string> {
  const { id, startedMs, body } = request;
  const timestamp = Math.floor(startedMs / 1000);
  return {
    ...endpoint.config.headers,
    ...formatted?.headers,
    'content-type': formatted === null ? 'application/json' : formatted.contentType,
    'user-agent': `Tidings/${request.version}`,
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signStandard(endpoint.keys(startedMs), id, timestamp, body),
  };
}
