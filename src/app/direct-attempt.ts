// One attempt outside the lane's order, a test or a resend: made here if this process sends, else by the process that owns the lane.
import { setTimeout as pause } from 'node:timers/promises';
import { type Endpoint, slotOf } from '../core/endpoint.ts';
import { ERRORS, type ErrorCode, TidingsError } from '../core/errors.ts';
import type { LogEvent } from '../core/event.ts';
import type { FormattedEvent } from '../core/formats/event-format.ts';
import { type IdGenerator, idFromUuid, uuidFromId } from '../core/id.ts';
import { isSettling } from '../core/outcome.ts';
import type { SecretBox } from '../core/secret-box.ts';
import type { Hints } from '../log/hints.ts';
import type { Dispatcher } from '../push/dispatcher.ts';
import { loadEndpoint, type ServerRules } from '../push/loaded-endpoint.ts';
import type { AttemptStamp } from '../push/open-attempt.ts';
import type { Ownership } from '../push/ownership.ts';
import { sendNow } from '../push/send-now.ts';
import { type Attempt, findAttempt, lastAttemptNumber } from '../storage/attempt-listing.ts';
import { type Command, commandFailure, deleteCommand, enqueueCommand } from '../storage/commands.ts';
import type { Database } from '../storage/database.ts';
import { loadCredentials } from '../storage/endpoint-credentials.ts';
import { loadSecrets } from '../storage/endpoint-secrets.ts';
import type { AttemptRow } from '../storage/flush.ts';

export interface DirectAttemptParts {
  db: Database;
  box: SecretBox;
  rules: ServerRules;
  ids: IdGenerator;
  dispatcher: Dispatcher;
  ownership: Pick<Ownership, 'owns' | 'slotCount' | 'others'>;
  hints: Pick<Hints, 'commandWaiting'>;
  version: string;
}

export interface DirectAttempt {
  appId: string;
  endpoint: Endpoint;
  cause: 'resend' | 'test';
  /** Null = a test event. */
  event: LogEvent | null;
}

/** What the owner of the lane is asked for: the attempt with this id. */
export interface AttemptOrder {
  attemptUuid: string;
  day: string;
  eventId: string;
  timeMs: number;
  /** 0 = a test event. */
  position: number;
  eventDay: string;
}

const FIRST_LOOK_MS = 30;
const MAX_LOOK_MS = 250;
/** Time for the owner to hear of it, and to write the attempt down. */
const GRACE_MS = 5000;

/** @throws TidingsError as sendNow, and `unavailable` (nobody sends), `unclear` (not made in time) */
export async function makeAttempt(parts: DirectAttemptParts, request: DirectAttempt): Promise<Attempt> {
  if (parts.ownership.slotCount === 0) return await orderAttempt(parts, request);
  const { appId, endpoint, event, cause } = request;
  const attempt = await sendHere(parts, request, parts.dispatcher.newAttempt(), event ?? testEvent(parts.ids, appId));
  if (cause === 'resend' && event && isSettling(attempt.outcome)) await forgetRetry(parts, appId, endpoint, event);
  return attempt;
}

/** Sends from this process, whoever owns the lane. */
export async function sendHere(
  parts: DirectAttemptParts,
  { appId, endpoint, cause }: Omit<DirectAttempt, 'event'>,
  stamp: AttemptStamp,
  event: FormattedEvent,
): Promise<Attempt> {
  const { db, box, rules, dispatcher } = parts;
  const credentials = endpoint.config.auth === null ? null : await loadCredentials(db, box, appId, [endpoint.id]);
  const loaded = loadEndpoint(
    { ...endpoint, versions: [], pulledThrough: 0 },
    await loadSecrets(db, box, appId, endpoint.id),
    rules,
    credentials?.get(endpoint.id) ?? null,
  );
  const { position } = event;
  const earlier = position > 0 ? await lastAttemptNumber(db, { appId, endpointId: endpoint.id, position }) : 0;
  const row = await sendNow(
    {
      attempts: dispatcher.attempts,
      newAttempt: () => stamp,
      flush: (item) => dispatcher.flusher.add(item),
    },
    { appId, endpoint: loaded, event, cause, attempt: earlier + 1 },
  );
  return toAttempt(appId, endpoint.id, row);
}

/** A retry that the owner of the lane holds in memory is not needed any more; its row is gone already. */
async function forgetRetry(
  { db, ids, dispatcher, ownership, hints }: DirectAttemptParts,
  appId: string,
  endpoint: Endpoint,
  { position }: LogEvent,
): Promise<void> {
  const slot = slotOf(uuidFromId('endpoint', endpoint.id));
  if (ownership.owns(slot)) {
    dispatcher.lane(appId, endpoint.id)?.cancelRetry(position);
    return;
  }
  const payload = { position };
  const command: Command = {
    slot,
    commandUuid: ids.uuid(),
    appId,
    endpointId: endpoint.id,
    kind: 'forget-retry',
    payload,
  };
  await enqueueCommand(db, command);
  hints.commandWaiting(slot);
}

async function orderAttempt(parts: DirectAttemptParts, request: DirectAttempt): Promise<Attempt> {
  const { db, ids, dispatcher, ownership, hints } = parts;
  const { appId, endpoint, cause } = request;
  if (!ownership.others.some(({ roles, leased }) => leased && roles.includes('push'))) {
    throw new TidingsError('unavailable', 'No process that sends is running. Try again in a few seconds.');
  }
  const { attemptUuid, day } = dispatcher.newAttempt();
  const event = request.event ?? { ...testEvent(ids, appId), day };
  const payload: AttemptOrder = {
    attemptUuid,
    day,
    eventId: event.id,
    timeMs: event.timeMs,
    position: event.position,
    eventDay: event.day,
  };
  const slot = slotOf(uuidFromId('endpoint', endpoint.id));
  const command = {
    slot,
    commandUuid: ids.uuid(),
    appId,
    endpointId: endpoint.id,
    kind: cause,
    payload: { ...payload },
  };
  await enqueueCommand(db, command);
  hints.commandWaiting(slot);
  const find = () => findAttempt(db, { appId, endpointId: endpoint.id, attemptUuid, day });
  const limitMs = endpoint.config.timeoutMs + GRACE_MS;
  const beganMs = performance.now();
  for (let lookMs = FIRST_LOOK_MS; performance.now() - beganMs < limitMs; lookMs = Math.min(MAX_LOOK_MS, lookMs * 2)) {
    await pause(lookMs);
    const attempt = await find();
    if (attempt) return attempt;
    const failure = await commandFailure(db, command);
    if (!failure) continue;
    await deleteCommand(db, command);
    throw new TidingsError(isErrorCode(failure.code) ? failure.code : 'internal', failure.detail);
  }
  await deleteCommand(db, command);
  const late = await find();
  if (late) return late;
  throw new TidingsError(
    'unclear',
    `The process that sends for this endpoint has not reported the attempt within ${limitMs / 1000} seconds. Look at the endpoint's attempts before you send again.`,
  );
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/** The event of a test, which stands in no log; with the id and time that were promised elsewhere, if any. */
export function testEvent(
  ids: IdGenerator,
  appId: string,
  { id = ids.id('event'), timeMs = Date.now() }: { id?: string; timeMs?: number } = {},
): FormattedEvent {
  const data = Buffer.from('{"text":"This is a test event from Tidings."}');
  return { appId, id, type: 'tidings.test', timeMs, position: 0, channels: [], data };
}

export function toAttempt(appId: string, endpointId: string, row: AttemptRow): Attempt {
  const { attemptUuid, event, startedMs, cause, attempt, transformationVersion, dead, result } = row;
  return {
    id: idFromUuid('attempt', attemptUuid),
    appId,
    endpointId,
    eventId: event.id,
    position: event.position,
    cause,
    attempt,
    transformationVersion,
    outcome: result.outcome,
    reason: result.reason,
    status: result.status,
    startedAt: new Date(startedMs),
    timings: result.timings,
    dead,
    remoteAddress: result.remoteAddress,
    responseHead: result.responseHead,
    responseBody: result.responseBody,
    error: result.error,
  };
}
