// One attempt outside the lane's order: a test, or a resend of one event. It is recorded like every attempt, and exempt from window,
// breaker and schedule.
import { TidingsError } from '../core/errors.ts';
import type { FormattedEvent } from '../core/formats/event-format.ts';
import { uuidFromId } from '../core/id.ts';
import { isSettling, type SendResult } from '../core/outcome.ts';
import { versionInUse } from '../core/transformation.ts';
import { type AttemptRow, LIVE_CURSOR_UUID } from '../storage/flush.ts';
import type { AttemptSender } from './attempt-sender.ts';
import type { FlushItem } from './flusher.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';
import type { AttemptStamp } from './open-attempt.ts';

export interface SendNowParts {
  attempts: Pick<AttemptSender, 'send'>;
  newAttempt: () => AttemptStamp;
  flush: (item: FlushItem) => void;
}

export interface SendNowRequest {
  appId: string;
  endpoint: LoadedEndpoint;
  /** Position 0 for a test event, which stands in no log. */
  event: FormattedEvent;
  cause: 'resend' | 'test';
  /** 1 + the attempts made before. */
  attempt: number;
}

/**
 * Sends and resolves when the attempt is committed. A resend that is delivered takes the event out of `retries` and `dead`.
 * @throws TidingsError address_forbidden when the server's rules do not let the request out; unclear when it was sent, but could not
 * be recorded because the lease was lost.
 */
export async function sendNow(parts: SendNowParts, request: SendNowRequest): Promise<AttemptRow> {
  const { endpoint, event, cause } = request;
  if (endpoint.target instanceof TidingsError) throw endpoint.target;
  const transformationVersion = versionInUse(endpoint.config.transformation);
  const open = { ...parts.newAttempt(), endpoint, event, cause, attempt: request.attempt, transformationVersion };
  const result = await new Promise<SendResult>((resolve) => parts.attempts.send(open, resolve, () => 'now'));
  const key = { appUuid: uuidFromId('app', request.appId), endpointUuid: uuidFromId('endpoint', endpoint.id) };
  const row: AttemptRow = { ...open, key, cursorUuid: null, batchUuid: null, dead: false, result };
  const closed =
    cause === 'resend' && isSettling(result.outcome)
      ? { key, cursorUuid: LIVE_CURSOR_UUID, position: event.position }
      : null;
  await new Promise<void>((resolve, reject) => {
    parts.flush({
      lane: null,
      row,
      retry: null,
      closedRetry: closed,
      deadRow: null,
      closedDead: closed,
      committed: resolve,
      dropped: () =>
        reject(
          new TidingsError(
            'unclear',
            `The request was sent (${result.reason}), but this process lost its lease before that was recorded. Look at what the endpoint received, or send again.`,
          ),
        ),
    });
  });
  return row;
}
