// Consumers as the API shows and takes them.
import { z } from 'zod';
import { uuidFromId } from '../core/id.ts';
import type { LeasedEvents } from '../pull/consumer.ts';
import type { Consumer, ConsumerLag } from '../storage/consumers.ts';
import type { Instance } from '../storage/instance.ts';
import { cursorWriter, EventSchema, renderEvent } from './event-json.ts';
import { FilterSchema, StoredFilterSchema } from './filter-json.ts';
import { Time } from './text.ts';

const LeaseState = z
  .object({ id: z.string(), expiresAt: Time })
  .nullable()
  .describe('Who has leased it, until when; null = nobody.');

const MEMBERS = {
  name: z.string(),
  filter: StoredFilterSchema,
  cursor: z.string().describe('Everything up to here is committed.'),
  lease: LeaseState,
  committedAt: Time.nullable().describe('When something was last committed.'),
  createdAt: Time,
  updatedAt: Time,
};

export const CommittedSchema = z.object({ cursor: MEMBERS.cursor, lease: LeaseState }).meta({ id: 'ConsumerCursor' });

export const ConsumerSchema = z
  .object({
    ...MEMBERS,
    lag: z.object({
      events: z.int().describe("Events of the app's log beyond the cursor, matching or not."),
      seconds: z.number().describe('Age of the oldest of them.'),
    }),
  })
  .meta({ id: 'Consumer', description: "A named reader of an app's log with its cursor on the server." });

export const PutConsumerSchema = z
  .strictObject({
    filter: FilterSchema.nullish().describe('Which events it is given; null or absent = all.'),
    start: z
      .union([
        z.enum(['now', 'oldest']),
        z.strictObject({ cursor: z.string().max(500) }),
        z.strictObject({ endpoint: z.string().max(200) }),
      ])
      .optional()
      .describe(
        'Which events it begins with: those to come (default), all that are kept, those after a cursor, or those after the cursor of an endpoint (its id or uid). Only looked at when the consumer is made.',
      ),
  })
  .meta({ id: 'PutConsumer' });

export const LeaseSchema = z
  .object({
    lease: z.string().nullable().describe('To commit, renew or give back with; null when there are no events.'),
    expiresAt: Time.nullable(),
    events: z.array(EventSchema),
    cursor: z.string().describe('Commit this when all of the events are done; each has a cursor of its own besides.'),
    done: z.boolean().describe('The end of the log was reached. While it is false, lease on at once.'),
  })
  .meta({ id: 'Lease' });

function renderLease({ lease }: Consumer): z.infer<typeof LeaseState> {
  return lease?.isRunning ? { id: lease.id, expiresAt: lease.until.toISOString() } : null;
}

export function renderCommitted(consumer: Consumer, instance: Instance): z.infer<typeof CommittedSchema> {
  const cursorOf = cursorWriter(instance, uuidFromId('app', consumer.appId));
  return { cursor: cursorOf(consumer.place), lease: renderLease(consumer) };
}

export function renderConsumer(
  { consumer, lag }: { consumer: Consumer; lag: ConsumerLag },
  instance: Instance,
): z.infer<typeof ConsumerSchema> {
  return {
    name: consumer.name,
    filter: consumer.filter,
    ...renderCommitted(consumer, instance),
    lag,
    committedAt: consumer.committedAt?.toISOString() ?? null,
    createdAt: consumer.createdAt.toISOString(),
    updatedAt: consumer.updatedAt.toISOString(),
  };
}

/** `{lease, expiresAt, events, cursor, done}`, the events' data as published. */
export function renderLeased(leased: LeasedEvents, instance: Instance, appId: string): Buffer {
  const { lease, events, cursor, done } = leased;
  const cursorOf = cursorWriter(instance, uuidFromId('app', appId));
  const head = { lease: lease?.id ?? null, expiresAt: lease?.until.toISOString() ?? null };
  return Buffer.concat([
    Buffer.from(`${JSON.stringify(head).slice(0, -1)},"events":[`),
    ...events.flatMap((event, i) => [Buffer.from(i === 0 ? '' : ','), renderEvent(event, cursorOf)]),
    Buffer.from(`],"cursor":"${cursorOf(cursor)}","done":${done}}`),
  ]);
}
