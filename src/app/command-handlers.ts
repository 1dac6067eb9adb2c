// What the owner of a lane does when another process asks for it.
import { TidingsError } from '../core/errors.ts';
import { isSettling } from '../core/outcome.ts';
import type { CommandHandler } from '../push/command-poll.ts';
import { findAttempt } from '../storage/attempt-listing.ts';
import type { Command, CommandKind } from '../storage/commands.ts';
import { findEndpoint, noEndpoint } from '../storage/endpoints.ts';
import { readEventAt } from '../storage/events.ts';
import { type AttemptOrder, type DirectAttemptParts, sendHere, testEvent } from './direct-attempt.ts';

export function commandHandlers(parts: DirectAttemptParts): Record<CommandKind, CommandHandler> {
  const { dispatcher } = parts;
  return {
    test: (command) => carryOutAttempt(parts, command, 'test'),
    resend: (command) => carryOutAttempt(parts, command, 'resend'),
    'forget-retry': async ({ appId, endpointId, payload }) => {
      dispatcher.lane(appId, endpointId)?.cancelRetry(Number(payload.position));
    },
    replays: async ({ appId, endpointId }) => dispatcher.reloadReplays(appId, endpointId),
  };
}

async function carryOutAttempt(
  parts: DirectAttemptParts,
  { appId, endpointId, payload }: Command,
  cause: 'resend' | 'test',
): Promise<void> {
  const { db, ids, dispatcher } = parts;
  const order = payload as unknown as AttemptOrder;
  const { attemptUuid, day, eventId, timeMs, position, eventDay } = order;
  // The one who owned the slot before may have sent it, and died before the command was deleted.
  if (await findAttempt(db, { appId, endpointId, attemptUuid, day })) return;
  const endpoint = await findEndpoint(db, appId, endpointId);
  if (!endpoint) throw noEndpoint(endpointId);
  const event =
    cause === 'test'
      ? testEvent(ids, appId, { id: eventId, timeMs })
      : await readEventAt(db, { appId, position, day: eventDay });
  if (!event) throw new TidingsError('not_found', `The event ${eventId} is past retention.`);
  const stamp = { attemptUuid, day, startedMs: Date.now() };
  const attempt = await sendHere(parts, { appId, endpoint, cause }, stamp, event);
  if (cause === 'resend' && isSettling(attempt.outcome)) {
    dispatcher.lane(appId, endpointId)?.cancelRetry(position);
  }
}
