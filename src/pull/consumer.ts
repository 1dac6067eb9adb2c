// A lease: the events after a consumer's cursor, handed out to one holder at a time. They are read first and the lease is taken afterwards,
// on the condition that the cursor is still where it was: so a lease never covers what was not read, and who loses the race has only read.
import { TidingsError } from '../core/errors.ts';
import type { LogEvent } from '../core/event.ts';
import { compileFilter } from '../core/filter.ts';
import type { LogPlace } from '../log/event-cache.ts';
import { leaseConsumer, leasedError, leaseLost, skipUnmatched } from '../storage/consumer-leases.ts';
import { type Consumer, type ConsumerLease, readConsumer } from '../storage/consumers.ts';
import type { Queryable } from '../storage/database.ts';
import { type LogSource, waitForLog } from './log-wait.ts';
import type { ReadPage, ReadRequest } from './read-log.ts';

export interface ConsumerParts {
  db: Queryable;
  source: LogSource;
  /** @throws TidingsError `not_found`, `cursor_ahead`, `cursor_expired` */
  read(request: ReadRequest): Promise<ReadPage>;
}

export interface LeaseOptions {
  appId: string;
  name: string;
  /** Of a new lease. */
  newLeaseId: string;
  /** A lease that the caller has and wants to keep; null = a new one. */
  heldLeaseId: string | null;
  /** Events; 0 renews the lease and reads nothing. */
  max: number;
  maxBytes: number;
  leaseSeconds: number;
  /** How long to wait for the first event. */
  waitMs: number;
  /** Ends the waiting. */
  signal: AbortSignal;
}

export interface LeasedEvents {
  /** null when there are no events: then nothing is leased. */
  lease: ConsumerLease | null;
  events: LogEvent[];
  /** Commit this when all events are done. */
  cursor: LogPlace;
  done: boolean;
}

/** Pages without a match that one call looks through. */
const MAX_EMPTY_PAGES = 10;
/** How often one call begins anew because the consumer was moved while it read. */
const MAX_TRIES = 20;

/**
 * The next events under a lease. Empty and `done` at the end of the log; empty and not `done` when the filter took none of many.
 * @throws TidingsError `not_found`, `consumer_leased`, `lease_lost`, `cursor_expired`, `cursor_ahead`
 */
export async function leaseEvents(parts: ConsumerParts, options: LeaseOptions): Promise<LeasedEvents> {
  const { heldLeaseId } = options;
  const untilMs = performance.now() + options.waitMs;
  for (let tries = 1; ; tries++) {
    const consumer = await readConsumer(parts.db, options);
    refuse(consumer, heldLeaseId);
    const page = await readNext(parts, consumer, options, untilMs);
    if (page.events.length === 0 && heldLeaseId === null) {
      const { place } = consumer;
      if (page.cursor.position > place.position) await skipUnmatched(parts.db, options, place, page.cursor);
      return { lease: null, ...page };
    }
    const lease = await leaseConsumer(parts.db, {
      appId: options.appId,
      name: options.name,
      leaseId: heldLeaseId ?? options.newLeaseId,
      isRenewal: heldLeaseId !== null,
      seconds: options.leaseSeconds,
      after: consumer.place.position,
      through: page.cursor.position,
    });
    if (lease !== null) return { lease, ...page };
    if (tries === MAX_TRIES) throw leasedError(consumer);
  }
}

function refuse(consumer: Consumer, heldLeaseId: string | null): void {
  if (heldLeaseId !== null) {
    if (consumer.lease?.id !== heldLeaseId) throw leaseLost(consumer.name);
  } else if (consumer.lease?.isRunning) {
    throw leasedError(consumer);
  }
}

/** Waits for the first event; whoever keeps a lease does not wait, for it would run out meanwhile. */
async function readNext(
  parts: ConsumerParts,
  consumer: Consumer,
  options: LeaseOptions,
  untilMs: number,
): Promise<ReadPage> {
  const { appId, heldLeaseId, max, maxBytes, signal } = options;
  const filter = compileFilter(consumer.filter);
  let after: LogPlace = consumer.place;
  if (max === 0) return { events: [], cursor: after, done: false };
  for (let empty = 0; ; ) {
    const page = await parts
      .read({
        appId,
        after,
        limit: max,
        maxBytes,
        matches: filter.matches,
      })
      .catch((error) => Promise.reject(withAdvice(error, consumer)));
    if (page.events.length > 0) return page;
    after = page.cursor;
    if (!page.done) {
      if (++empty === MAX_EMPTY_PAGES) return page;
      continue;
    }
    const timeoutMs = heldLeaseId === null ? untilMs - performance.now() : 0;
    if (!(await waitForLog(parts.source, { appId, position: after.position, timeoutMs, signal }))) return page;
  }
}

function withAdvice(error: unknown, { name, place }: Consumer): unknown {
  if (!(error instanceof TidingsError && error.code === 'cursor_expired')) return error;
  return new TidingsError(
    'cursor_expired',
    `The consumer ${name} stands at position ${place.position}, and events after it are past retention. Seek to "oldest" to go on with what is kept.`,
    { cause: error, ...(error.members && { members: error.members }) },
  );
}
