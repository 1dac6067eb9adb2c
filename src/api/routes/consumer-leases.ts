import { z } from 'zod';
import { uuidFromId } from '../../core/id.ts';
import { leaseEvents } from '../../pull/consumer.ts';
import { commitConsumer, releaseConsumer, seekConsumer } from '../../storage/consumer-leases.ts';
import { readConsumerLag } from '../../storage/consumers.ts';
import { appAccess } from '../access.ts';
import {
  CommittedSchema,
  ConsumerSchema,
  LeaseSchema,
  renderCommitted,
  renderConsumer,
  renderLeased,
} from '../consumer-json.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { sendJson } from '../json-reply.ts';
import { resolvePlace } from '../log-range.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import { whileOpen } from '../while-open.ts';
import { CONSUMER_PARAMS, consumerKey } from './consumers.ts';
import { placeOfCursor } from './events.ts';

const MAX_LEASE_EVENTS = 1000;
const MAX_LEASE_BYTES = 8 * 1024 * 1024;
const MAX_LEASE_SECONDS = 3600;
const MAX_WAIT_SECONDS = 60;

const LeaseId = z.string().max(100);

const TakeLease = z
  .strictObject({
    max: z.int().min(0).max(MAX_LEASE_EVENTS).default(100).describe('Events, at most. 0 with `lease`: only renew it.'),
    leaseSeconds: z
      .int()
      .min(1)
      .max(MAX_LEASE_SECONDS)
      .default(30)
      .describe('What is not committed by then is handed out again.'),
    wait: z.number().min(0).max(MAX_WAIT_SECONDS).default(0).describe('Seconds to wait for the first event.'),
    lease: LeaseId.optional().describe(
      'A lease that you hold: it goes on, and you get the events after the cursor again, with those that came since.',
    ),
  })
  .refine(({ max, lease }) => max > 0 || lease !== undefined, {
    path: ['max'],
    message: 'Ask for at least one event, or name the lease to renew.',
  })
  .meta({ id: 'TakeLease' });

const CommitSchema = z
  .strictObject({
    cursor: z.string().max(500).describe('Everything up to here is done: a cursor of an event, or of the lease.'),
    lease: LeaseId.optional().describe('Absent: it is read without leases, as by a stream or by one reader alone.'),
  })
  .meta({ id: 'ConsumerCommit' });

const ReleaseSchema = z.strictObject({ lease: LeaseId }).meta({ id: 'ReleaseLease' });

const SeekSchema = z
  .strictObject({
    to: z.string().max(500).describe('`oldest`, `now`, an RFC 3339 time (by when events were appended), or a cursor.'),
  })
  .meta({ id: 'ConsumerSeek' });

export function consumerLeaseRoutes(server: ApiServer, context: ApiContext): void {
  const { db, engine, ids, instance, leaving } = context;
  const tags = ['Consumers'];
  const params = z.object(CONSUMER_PARAMS);

  server.post(
    '/v1/apps/:app/consumers/:consumer/lease',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'leaseConsumer',
        summary: 'Lease the next events',
        description:
          'One at a time has the lease. What is committed is done; the rest is handed out again when the lease is over.',
        params,
        body: TakeLease.optional(),
        response: { 200: LeaseSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      const key = consumerKey(request.appId, request.params.consumer);
      const { max, leaseSeconds, wait, lease = null } = request.body ?? TakeLease.parse({});
      const leased = await whileOpen(leaving, reply, (signal) =>
        leaseEvents(
          { db, source: engine, read: (read) => engine.read(read) },
          {
            ...key,
            newLeaseId: ids.id('lease'),
            heldLeaseId: lease,
            max,
            maxBytes: MAX_LEASE_BYTES,
            leaseSeconds,
            waitMs: wait * 1000,
            signal,
          },
        ),
      );
      return sendJson(reply, renderLeased(leased, instance, request.appId));
    },
  );

  server.post(
    '/v1/apps/:app/consumers/:consumer/commit',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'commitConsumer',
        summary: 'Commit: everything up to a cursor is done',
        description:
          'The cursor only moves forward. With all that was leased committed, the lease is over. Committed again, it is answered alike.',
        params,
        body: CommitSchema,
        response: { 200: CommittedSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const { cursor, lease } = request.body;
      const key = consumerKey(appId, request.params.consumer);
      const place = placeOfCursor(context, uuidFromId('app', appId), cursor);
      return renderCommitted(await commitConsumer(db, { ...key, place, leaseId: lease ?? null }), instance);
    },
  );

  server.post(
    '/v1/apps/:app/consumers/:consumer/release',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'releaseConsumer',
        summary: 'Give a lease back',
        description: 'What was not committed is handed out again at once.',
        params,
        body: ReleaseSchema,
        response: { 200: CommittedSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const key = consumerKey(request.appId, request.params.consumer);
      return renderCommitted(await releaseConsumer(db, key, request.body.lease), instance);
    },
  );

  server.post(
    '/v1/apps/:app/consumers/:consumer/seek',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'seekConsumer',
        summary: 'Move the cursor, back or forward',
        description: 'A lease is over with it: what its holder commits afterwards is refused.',
        params,
        body: SeekSchema,
        response: { 200: ConsumerSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const key = consumerKey(request.appId, request.params.consumer);
      const place = await resolvePlace(context, request.appId, request.body.to, '/to');
      await seekConsumer(db, key, place);
      return renderConsumer(await readConsumerLag(db, key), instance);
    },
  );
}
