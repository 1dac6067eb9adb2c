// What an endpoint is sent of an event that went through its transformation: in the endpoint's format, unless the code gave the body itself, and
// signed like everything else.
import type { FormattedEvent } from '../core/formats/event-format.ts';
import type { SendResult } from '../core/outcome.ts';
import type { Verdict } from '../core/transformation.ts';
import { describeVerdict } from '../transform/verdict.ts';
import { type DeliveryRequest, finishRequest } from './delivery-request.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';
import { unsent } from './unsent.ts';

export type SentVerdict = Extract<Verdict, { kind: 'sent' }>;

/** The event as its verdict has it. */
export function transformedEvent(event: FormattedEvent, { type, timeMs, data }: SentVerdict): FormattedEvent {
  const { appId, id, position, channels } = event;
  return { appId, id, type, timeMs, position, channels, data };
}

/** @throws FormatError */
export function buildTransformed(
  endpoint: LoadedEndpoint,
  attempt: { event: FormattedEvent; attempt: number; startedMs: number },
  verdict: SentVerdict,
  version: string,
): DeliveryRequest {
  const event = transformedEvent(attempt.event, verdict);
  const { body, method, path } = verdict;
  const given = body === null ? null : { body: body.bytes, contentType: body.contentType };
  const formatted = given ?? (endpoint.format === null ? null : endpoint.format.one(event));
  const target = path === null ? endpoint.target : { ...endpoint.target, path };
  const changed = { ...endpoint, target, headers: { ...endpoint.headers, ...verdict.headers } };
  const request = finishRequest(changed, { ...attempt, event, method: method ?? 'POST' }, formatted, version);
  return { ...request, ...(method !== null && { method }), ...(path !== null && { path }) };
}

/** What came of an attempt whose event is not sent; null for one that is. */
export function unsentResult(verdict: Verdict, version: number, isBatched: boolean): SendResult | null {
  switch (verdict.kind) {
    case 'sent':
      return isBatched ? alone(verdict, version) : null;
    case 'filtered':
      return unsent('filtered', 'filtered', describeVerdict(verdict, version));
    case 'failed':
      return unsent('rejected', verdict.reason, describeVerdict(verdict, version));
    case 'unavailable':
      return unsent('unreachable', 'transform_unavailable', describeVerdict(verdict, version));
  }
}

/** Several events share one request, so none of them has a say in it. */
function alone({ body, method, path, headers }: SentVerdict, version: number): SendResult | null {
  if (body === null && method === null && path === null && headers === null) return null;
  const message = 'It returned a request, but the endpoint is sent batches. Return an event, or take `batch` away.';
  const error = { message, line: null, column: null };
  return unsent(
    'rejected',
    'transform_error',
    describeVerdict({ kind: 'failed', reason: 'transform_error', error }, version),
  );
}
