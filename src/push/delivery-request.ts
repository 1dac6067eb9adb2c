// What an endpoint is sent: the body in its format, `standard` unless it asks for another, signed as it asks for (api.md; Standard Webhooks
// 1.0.0, "Webhook format" and "Signature scheme").
import { standardBatchBody, standardBody } from '../core/envelope.ts';
import { TidingsError } from '../core/errors.ts';
import { FormatError, type FormattedBody, type FormattedEvent } from '../core/formats/event-format.ts';
import { idFromUuid } from '../core/id.ts';
import { signStandard } from '../core/signature.ts';
import type { Signer } from '../core/signing/signer.ts';
import type { DeliveryBatch } from './delivery-batch.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';

export interface DeliveryRequest {
  headers: Record<string, string>;
  body: Buffer;
  /** Absent = POST. */
  method?: string;
  /** Path and query; absent = those of the endpoint's URL. */
  path?: string;
}

/** The body is the same in every attempt; timestamp and signature are of this one. @throws FormatError */
export function buildRequest(
  endpoint: LoadedEndpoint,
  attempt: { event: FormattedEvent; attempt: number; startedMs: number },
  version: string,
): DeliveryRequest {
  return finishRequest(
    endpoint,
    attempt,
    endpoint.format === null ? null : endpoint.format.one(attempt.event),
    version,
  );
}

/** The request of an event whose body is made; null = in the format `standard`. */
export function finishRequest(
  endpoint: LoadedEndpoint,
  attempt: { event: FormattedEvent; attempt: number; startedMs: number; method?: string },
  formatted: FormattedBody | null,
  version: string,
): DeliveryRequest {
  const { event, startedMs, method } = attempt;
  const body = formatted === null ? standardBody(event) : formatted.body;
  const request = { id: event.id, type: event.type, startedMs, body, version, method };
  const headers = {
    ...headersOf(endpoint, request, formatted),
    'tidings-attempt': String(attempt.attempt),
    'tidings-position': String(event.position),
  };
  if (endpoint.signer !== null) sign(endpoint, endpoint.signer, headers, request);
  // Last of all: it may be the provider's signature that the receiver verifies.
  if (formatted?.received !== undefined) Object.assign(headers, formatted.received);
  return { headers, body };
}

/** Of a batch, what its request is made of. */
type BatchContent = Pick<DeliveryBatch, 'batchUuid' | 'endpoint' | 'startedMs'> & {
  attempts: readonly { attempt: number; event: { position: number } }[];
  events: readonly FormattedEvent[];
};

/** A batch: an id of its own, one signature over the array, and how many events are in it; `tidings-position` is that of the last. @throws FormatError */
export function buildBatch(batch: BatchContent, version: string): DeliveryRequest {
  const { attempts, events, endpoint, startedMs } = batch;
  const { format } = endpoint;
  if (format !== null && format.many === null)
    throw new FormatError("The endpoint's format has no form for several events.");
  const formatted = format === null ? null : format.many!(events);
  const body = formatted === null ? standardBatchBody(events) : formatted.body;
  const request = { id: idFromUuid('batch', batch.batchUuid), type: null, startedMs, body, version };
  const headers = {
    ...headersOf(endpoint, request, formatted),
    'tidings-attempt': String(Math.max(...attempts.map(({ attempt }) => attempt))),
    'tidings-position': String(attempts[attempts.length - 1].event.position),
    'tidings-batch-size': String(attempts.length),
  };
  if (endpoint.signer !== null) sign(endpoint, endpoint.signer, headers, request);
  return { headers, body };
}

interface RequestParts {
  /** Absent = POST. */
  method?: string | undefined;
  id: string;
  /** Null for a batch. */
  type: string | null;
  startedMs: number;
  body: Buffer;
  version: string;
}

/** With the signature where that is of Standard Webhooks. Written at once: members added one by one cost a microsecond per request. */
function headersOf(
  endpoint: LoadedEndpoint,
  { id, startedMs, body, version }: RequestParts,
  formatted: FormattedBody | null,
): Record<string, string> {
  const timestamp = Math.floor(startedMs / 1000);
  const headers = {
    ...endpoint.headers,
    ...formatted?.headers,
    'content-type': formatted === null ? 'application/json' : formatted.contentType,
    'user-agent': `Tidings/${version}`,
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
  };
  if (endpoint.signer !== null) return headers;
  return { ...headers, 'webhook-signature': signStandard(endpoint.keys(startedMs), id, timestamp, body) };
}

/** Last, for some schemes sign the other headers. */
function sign(
  endpoint: LoadedEndpoint,
  signer: Signer,
  headers: Record<string, string>,
  { method = 'POST', id, type, startedMs, body }: RequestParts,
): void {
  signer.sign(headers, { method, url: urlOf(endpoint), id, type, timeMs: startedMs, body });
}

/** As the request line and the host header give it. */
function urlOf({ target, config }: LoadedEndpoint): string {
  return target instanceof TidingsError ? config.url : target.origin + target.path;
}
