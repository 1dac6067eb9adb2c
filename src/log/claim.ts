// What must hold for an append to be made (design rule 7): an append carries at most one claim, and its events are inserted only if it holds.
import type { NewEvent } from '../core/event.ts';
import { hashEvent } from '../core/publish-request.ts';
import type { StateAdvance } from '../storage/fetch-state.ts';
import type { KeyClaim } from '../storage/idempotency-keys.ts';

export type Claim =
  /** Nobody has used these keys before: the Idempotency-Key header, the ids that publishers chose, what a source knows an event by. */
  | { kind: 'keys'; keys: KeyClaim[] }
  /** Scheduled events of the app that are due, oldest first. The claim brings the events; there may be none. */
  | { kind: 'due'; maxEvents: number; maxBytes: number }
  /** A fetched source still stands where the run that found the events began. Those of them whose key is taken are left out: known by it already. */
  | { kind: 'state'; advance: StateAdvance; keys: (KeyClaim | null)[] };

/** By what a source knows one event. It has come before when the same stands for another: the bodies are not compared. */
export interface SourceKey {
  sourceId: string;
  key: string;
  /** How long it is known. */
  keptSeconds: number;
}

export const SOURCE_KEY_PREFIX = 's:';
/** Of all of them: whatever the bodies are, they stand for one event. */
export const SOURCE_KEY_HASH = Buffer.alloc(32);

export function sourceKeyName(sourceId: string, key: string): string {
  return `${SOURCE_KEY_PREFIX}${sourceId}:${key}`;
}

/** @param key of at most 256 characters, such as the provider's own id of the event */
export function sourceClaim(appId: string, eventIds: string[], { sourceId, key, keptSeconds }: SourceKey): Claim {
  const name = sourceKeyName(sourceId, key);
  return {
    kind: 'keys',
    keys: [{ appId, key: name, bodyHash: SOURCE_KEY_HASH, resultIds: eventIds, keptSeconds }],
  };
}

export function keysClaim(
  appId: string,
  events: readonly NewEvent[],
  idempotency: { key: string; bodyHash: Buffer } | null,
): Claim | null {
  const keys: KeyClaim[] = [];
  if (idempotency) {
    const resultIds = events.map((event) => event.id);
    keys.push({ appId, key: `k:${idempotency.key}`, bodyHash: idempotency.bodyHash, resultIds });
  }
  for (const event of events) {
    // One that waits is known by its id at least until a day after its time, also if the id was made here.
    if (!event.ownId && event.deliverAtMs === undefined) continue;
    const key = { appId, key: `e:${event.id}`, bodyHash: hashEvent(event), resultIds: [event.id] };
    keys.push(event.deliverAtMs === undefined ? key : { ...key, neededUntilMs: event.deliverAtMs });
  }
  return keys.length === 0 ? null : { kind: 'keys', keys };
}

/** Adds the claim to those held in a batch, or adds nothing and says false when what it claims is held already. */
export function holdClaim(held: Set<string>, appId: string, claim: Claim): boolean {
  const names = namesOf(claim).map((name) => `${appId} ${name}`);
  if (names.some((name) => held.has(name))) return false;
  for (const name of names) held.add(name);
  return true;
}

function namesOf(claim: Claim): string[] {
  switch (claim.kind) {
    case 'keys':
      return claim.keys.map(({ key }) => key);
    case 'due':
      return ['due'];
    case 'state':
      return [`state ${claim.advance.sourceId}`, ...claim.keys.flatMap((claimed) => claimed?.key ?? [])];
  }
}
