// An event that a filter cannot be asked about is taken, so that it is not lost in silence, and then dies visibly (design rule 18). What
// replays and resends are told to send by name is sent whatever the filter says.
import type { DeliveryBatch } from './delivery-batch.ts';
import type { OpenAttempt } from './open-attempt.ts';

/** Why the endpoint's filter cannot be asked about an event that is to be sent; null when it was asked, or is of no concern. */
export function filterFailure(request: OpenAttempt | DeliveryBatch): string | null {
  const failureOf = request.endpoint.filterFailure;
  if (failureOf === null) return null;
  const attempts = 'attempts' in request ? request.attempts : [request];
  for (const { cursor, event } of attempts) {
    const failure = cursor.isFiltered ? failureOf(event) : null;
    if (failure !== null) return failure;
  }
  return null;
}
