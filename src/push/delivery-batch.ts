// One request that carries several events, for endpoints that ask for it (design rule 20). It has an id of its own, its items carry theirs,
// and each event has its own attempt row. When it fails it is halved, so that an event that the endpoint will never take ends up alone.
import type { LogEvent } from '../core/event.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';
import type { OpenAttempt } from './open-attempt.ts';
import type { OpenRequest } from './open-budget.ts';

/** Bytes of `data` in one batch; a larger event goes alone. */
export const MAX_BATCH_BYTES = 1024 * 1024;

export class DeliveryBatch implements OpenRequest {
  readonly batchUuid: string;
  readonly attempts: readonly OpenAttempt[];
  /** Attempts whose outcome is not yet committed. */
  #uncommitted: number;

  constructor(parts: { batchUuid: string; attempts: readonly OpenAttempt[] }) {
    this.batchUuid = parts.batchUuid;
    this.attempts = parts.attempts;
    this.#uncommitted = parts.attempts.length;
    for (const attempt of parts.attempts) attempt.batch = this;
  }

  get endpoint(): LoadedEndpoint {
    return this.attempts[0].endpoint;
  }

  get isProbe(): boolean {
    return this.attempts[0].isProbe;
  }

  get isSuspect(): boolean {
    return this.attempts[0].isSuspect;
  }

  get startedMs(): number {
    return this.attempts[0].startedMs;
  }

  get events(): readonly LogEvent[] {
    return this.attempts.map((attempt) => attempt.event);
  }

  /** One of its events' that is to be transformed; null = none is. */
  get transformationVersion(): number | null {
    for (const { transformationVersion } of this.attempts)
      if (transformationVersion !== null) return transformationVersion;
    return null;
  }

  /** Of how many events each further request may consist when this one failed; null when it was of one event, and is not cut further. */
  get half(): number | null {
    let sent = 0;
    for (const { own } of this.attempts) if (own === null) sent++;
    return sent > 1 ? sent >> 1 : null;
  }

  /** One of its attempts was committed; true when that was the last. */
  committedOne(): boolean {
    return --this.#uncommitted === 0;
  }
}
