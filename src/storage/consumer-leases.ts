// What moves a consumer's cursor: leases and commits, and seek. All of it is in the one row, and each change is one statement that holds its
// condition, so that neither a crash nor two callers at once can do harm. Only the database's time decides whether a lease is over.
import { TidingsError } from '../core/errors.ts';
import { parseId, uuidFromId } from '../core/id.ts';
import {
  CONSUMER_COLUMNS,
  type Consumer,
  type ConsumerKey,
  type ConsumerLease,
  type ConsumerRow,
  noConsumer,
  readConsumer,
  toConsumer,
} from './consumers.ts';
import type { Query, Queryable } from './database.ts';
import type { EventPlace } from './events.ts';

// `position = $4`: what is handed out was read after the cursor as it was. A renewal keeps what was handed out before.
const LEASE = {
  name: 'lease_consumer',
  text: `
UPDATE consumers c SET lease_id = $3, leased_until = now() + make_interval(secs => $5),
  leased_position = CASE WHEN c.lease_id = $3 THEN greatest(c.leased_position, $6) ELSE $6 END
WHERE c.app_id = $1 AND c.name = $2 AND c.position = $4
  AND CASE WHEN $7 THEN c.lease_id = $3 ELSE c.lease_id IS NULL OR c.leased_until <= now() END
RETURNING ${CONSUMER_COLUMNS}`,
} satisfies Query;

export interface LeaseRequest extends ConsumerKey {
  leaseId: string;
  /** It is the caller's already, and only goes on. */
  isRenewal: boolean;
  seconds: number;
  /** The cursor after which was read, and the end of what was. */
  after: number;
  through: number;
}

/** Takes or renews the lease; null when the consumer has changed since it was read, or another has it. */
export async function leaseConsumer(db: Queryable, request: LeaseRequest): Promise<ConsumerLease | null> {
  const { appId, name, leaseId, after, seconds, through, isRenewal } = request;
  const values = [uuidFromId('app', appId), name, parseId('lease', leaseId), after, seconds, through, isRenewal];
  const [row] = await db.query<ConsumerRow>(LEASE, values);
  return row === undefined ? null : toConsumer(row).lease;
}

const SKIP = {
  name: 'skip_unmatched',
  text: `
UPDATE consumers c SET position = $4, day = $5, lease_id = NULL, leased_until = NULL, leased_position = NULL
WHERE c.app_id = $1 AND c.name = $2 AND c.position = $3 AND (c.lease_id IS NULL OR c.leased_until <= now())`,
} satisfies Query;

/** Moves a consumer that nobody has leased over events that its filter does not take, unless it was moved meanwhile. */
export async function skipUnmatched(db: Queryable, key: ConsumerKey, from: EventPlace, to: EventPlace): Promise<void> {
  await db.query(SKIP, [uuidFromId('app', key.appId), key.name, from.position, to.position, to.day]);
}

// All that was handed out is committed: then the lease is over.
const COMMIT = {
  name: 'commit_consumer',
  text: `
UPDATE consumers c SET position = $3, day = $4, committed_at = now(),
  lease_id = CASE WHEN $5::uuid IS NOT NULL AND c.leased_position > $3 THEN c.lease_id END,
  leased_until = CASE WHEN $5::uuid IS NOT NULL AND c.leased_position > $3 THEN c.leased_until END,
  leased_position = CASE WHEN $5::uuid IS NOT NULL AND c.leased_position > $3 THEN c.leased_position END
FROM heads h
WHERE h.app_id = $1 AND h.last_position >= $3 AND c.app_id = $1 AND c.name = $2 AND c.position <= $3
  AND CASE WHEN $5::uuid IS NULL THEN c.lease_id IS NULL OR c.leased_until <= now()
    ELSE c.lease_id = $5 AND c.leased_position >= $3 END
RETURNING ${CONSUMER_COLUMNS}`,
} satisfies Query;

const LAST_POSITION = {
  name: 'last_position',
  text: `SELECT last_position FROM heads WHERE app_id = $1`,
} satisfies Query;

export interface Commit extends ConsumerKey {
  /** Everything up to here is done. */
  place: EventPlace;
  /** The lease under which it was handed out; without one, nobody may have leased the consumer. */
  leaseId?: string | null;
}

/**
 * Moves the cursor forward. Where it stands already is no error, whoever put it there: so a commit may be repeated.
 * @throws TidingsError `not_found`, `consumer_leased`, `lease_lost`, `commit_refused` (back, or beyond what was leased), `cursor_ahead`
 */
export async function commitConsumer(db: Queryable, commit: Commit): Promise<Consumer> {
  const { appId, name, place, leaseId = null } = commit;
  const appUuid = uuidFromId('app', appId);
  const leaseUuid = leaseId === null ? null : parseId('lease', leaseId);
  const isLease = leaseId === null || leaseUuid !== null;
  for (let tries = 1; ; tries++) {
    if (isLease) {
      const [row] = await db.query<ConsumerRow>(COMMIT, [appUuid, name, place.position, place.day, leaseUuid]);
      if (row !== undefined) return toConsumer(row);
    }
    const consumer = await readConsumer(db, commit);
    if (consumer.place.position === place.position) return consumer;
    const [head] = await db.query<{ last_position: number }>(LAST_POSITION, [appUuid]);
    const refusal = refusalOf(consumer, { ...commit, leaseId }, head?.last_position ?? 0);
    // What refused it may have gone between the two statements.
    if (refusal !== null || tries === 3) throw refusal ?? leasedError(consumer);
  }
}

function refusalOf(
  { name, lease, place }: Consumer,
  commit: Commit & { leaseId: string | null },
  lastPosition: number,
): TidingsError | null {
  const { position } = commit.place;
  if (commit.leaseId !== null && commit.leaseId !== lease?.id) return leaseLost(name);
  if (commit.leaseId === null && lease?.isRunning) return leasedError({ name, lease });
  if (position > lastPosition) {
    return new TidingsError(
      'cursor_ahead',
      `The cursor is at position ${position}, but the log ends at ${lastPosition}. Commit a cursor that a lease or a page gave.`,
    );
  }
  if (position < place.position) {
    return new TidingsError(
      'commit_refused',
      `The consumer ${name} stands at position ${place.position}; a commit does not go back to ${position}. Use seek for that.`,
    );
  }
  if (lease !== null && commit.leaseId !== null && position > lease.through) {
    return new TidingsError(
      'commit_refused',
      `The cursor is at position ${position}, but the lease hands out events up to ${lease.through} only.`,
    );
  }
  return null;
}

/** The error for a lease that another holds. */
export function leasedError({ name, lease }: Pick<Consumer, 'name' | 'lease'>): TidingsError {
  const until = lease?.until.toISOString() ?? 'now';
  return new TidingsError(
    'consumer_leased',
    `The consumer ${name} is leased by another until ${until}. Lease it after that; what it does not commit is handed out again.`,
    { retryAfterSeconds: 1 },
  );
}

/** The error for a lease that is over, because another has leased, or the consumer was moved by seek. */
export function leaseLost(name: string): TidingsError {
  return new TidingsError(
    'lease_lost',
    `This lease of the consumer ${name} is over: it was committed in full, given back, ended by seek, or ran out and another has leased since. Lease again.`,
  );
}

const RELEASE = {
  name: 'release_consumer',
  text: `
UPDATE consumers c SET lease_id = NULL, leased_until = NULL, leased_position = NULL
WHERE c.app_id = $1 AND c.name = $2 AND c.lease_id = $3 RETURNING ${CONSUMER_COLUMNS}`,
} satisfies Query;

/** Gives a lease back; one that is over already is no error, unless another has one. @throws TidingsError `not_found`, `lease_lost` */
export async function releaseConsumer(db: Queryable, key: ConsumerKey, leaseId: string): Promise<Consumer> {
  const values = [uuidFromId('app', key.appId), key.name, parseId('lease', leaseId)];
  const [row] = await db.query<ConsumerRow>(RELEASE, values);
  if (row !== undefined) return toConsumer(row);
  const consumer = await readConsumer(db, key);
  if (consumer.lease?.isRunning) throw leaseLost(key.name);
  return consumer;
}

const SEEK = {
  name: 'seek_consumer',
  text: `
UPDATE consumers c SET position = $3, day = $4, lease_id = NULL, leased_until = NULL, leased_position = NULL
WHERE c.app_id = $1 AND c.name = $2 RETURNING ${CONSUMER_COLUMNS}`,
} satisfies Query;

/** Moves the cursor anywhere, and ends a lease: its holder's commit comes too late. @throws TidingsError `not_found` */
export async function seekConsumer(db: Queryable, key: ConsumerKey, place: EventPlace): Promise<Consumer> {
  const values = [uuidFromId('app', key.appId), key.name, place.position, place.day];
  const [row] = await db.query<ConsumerRow>(SEEK, values);
  if (row === undefined) throw noConsumer(key.name);
  return toConsumer(row);
}
