// One append on its way through the writer: what is still to be written, and where its answer goes.
import type { TidingsError } from '../core/errors.ts';
import type { NewEvent } from '../core/event.ts';
import type { Claim } from './claim.ts';

export type AppendedEvent = {
  id: string;
  /** The event stood here already: the key or the event's own id was used before with the same content. */
  duplicate: boolean;
} & (
  | { position: number; day: string }
  /** It waits for its time, or it came from a source that has given it before. */
  | { position: null; day: null }
);

/** What the parts of the writer know of an append. */
export interface PendingAppend {
  readonly appId: string;
  /** Still to be written; duplicates found on the way are taken out. */
  events: NewEvent[];
  claim: Claim | null;
  /** Whether events of it may have to wait for their time. */
  readonly timed: boolean;
  /** What it weighs in a queue and in a batch. */
  readonly bytes: number;
  readonly weight: number;
  /** What the transaction under way appends of it. All of `events`, but for a claim that brings its own, or for those that wait. */
  appending: NewEvent[];
  /** Those of `events` that the transaction under way puts by until they are due. */
  deferring: NewEvent[];
  /** Where the answer is not just what was appended: what is known of its events by id, and their order in the request. */
  partial: { known: Map<string, AppendedEvent>; order: string[] } | null;
  resolve(events: AppendedEvent[]): void;
  reject(error: TidingsError): void;
}

/** Whether it can be written by the one statement that needs no transaction around it. */
export function isPlain(pending: PendingAppend): boolean {
  return pending.claim === null && !pending.timed;
}

/** Begins an answer that is put together from several sources. */
export function partialOf(pending: PendingAppend): NonNullable<PendingAppend['partial']> {
  pending.partial ??= { known: new Map(), order: pending.events.map((event) => event.id) };
  return pending.partial;
}

/** Answers with what was appended now, and with what was known before and what waits, in the order of the request. */
export function answer(pending: PendingAppend, appended: AppendedEvent[]): void {
  if (pending.deferring.length > 0) {
    const { known } = partialOf(pending);
    for (const { id } of pending.deferring) known.set(id, { id, position: null, day: null, duplicate: false });
  }
  const { partial } = pending;
  if (partial === null) {
    pending.resolve(appended);
    return;
  }
  for (const event of appended) partial.known.set(event.id, event);
  pending.resolve(partial.order.map((id) => partial.known.get(id)!));
}
