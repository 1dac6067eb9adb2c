// Publishing, the one hot path of the API: no schema runs here. The body stays the Buffer it came in, is read by
// core/publish-request.ts, and the answer is written by hand. With the app given by id nothing is looked up: the append itself
// finds out whether the app lives.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type FieldError, TidingsError } from '../../core/errors.ts';
import { MAX_BATCH_EVENTS, MAX_DELIVER_AT_DAYS, type NewEvent } from '../../core/event.ts';
import { failpoint } from '../../core/failpoint.ts';
import { parseId } from '../../core/id.ts';
import { hashBody, parsePublish, parsePublishBatch } from '../../core/publish-request.ts';
import { noApp } from '../../storage/apps.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import type { Appended } from '../engine.ts';
import { cursorWriter } from '../event-json.ts';
import { readIdempotencyKey } from '../idempotency-key.ts';
import { refuseEncoding } from '../json-body.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import { APP_PARAMS } from './apps.ts';

export const MAX_EVENT_BYTES = 1024 * 1024;
export const MAX_BATCH_BYTES = 16 * 1024 * 1024;

const EventInput = z
  .strictObject({
    type: z.string().describe('Such as `invoice.paid`: 1 to 128 of the characters A-Z a-z 0-9 _ . -'),
    data: z.unknown().describe('Any JSON value; it is kept byte for byte.'),
    id: z
      .string()
      .optional()
      .describe('Your own id, 1 to 64 of the characters A-Z a-z 0-9 _ -; publishing it again does nothing.'),
    time: z.iso.datetime({ offset: true }).optional().describe('When it happened; now if absent.'),
    channels: z.array(z.string()).max(10).optional().describe('What endpoints and readers may filter by.'),
    deliverAt: z.iso
      .datetime({ offset: true })
      .optional()
      .describe(
        `Append it to the log only then, at most ${MAX_DELIVER_AT_DAYS} days ahead; a time that has passed means at once. Its time is this one unless another is given.`,
      ),
  })
  .meta({ id: 'NewEvent' });

const BatchInput = z
  .strictObject({ events: z.array(EventInput).min(1).max(MAX_BATCH_EVENTS) })
  .meta({ id: 'NewEvents' });

const AppendedSchema = z
  .object({
    id: z.string(),
    position: z.int().nullable().describe('null: it is scheduled.'),
    cursor: z.string().nullable().describe('null: it is scheduled.'),
    duplicate: z.boolean().describe('It was published before, and this call did nothing.'),
    warnings: z
      .array(z.object({ path: z.string().describe('JSON Pointer into the request.'), message: z.string() }))
      .optional()
      .describe(
        'What of the data does not fit the schema of its type, where the catalogue says to warn; absent = nothing.',
      ),
  })
  .meta({ id: 'PublishedEvent' });

const AppendedBatchSchema = z.object({ events: z.array(AppendedSchema) }).meta({ id: 'PublishedEvents' });

type PublishRequest = FastifyRequest<{ Params: { app: string } }>;

export async function publishRoutes(server: ApiServer, context: ApiContext): Promise<void> {
  const { ids, now } = context;
  // The schemas below are for the OpenAPI document only.
  server.setValidatorCompiler(() => () => true);
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  const guard = context.authenticator.guard({ permission: 'publish' });
  const newId = (): string => ids.id('event');
  const tags = ['Events'];

  server.post(
    '/v1/apps/:app/events',
    {
      onRequest: guard,
      bodyLimit: MAX_EVENT_BYTES,
      schema: {
        tags,
        operationId: 'publishEvent',
        'x-idempotent': true,
        summary: 'Publish an event',
        description: 'Answered once the event is stored. At most 1 MiB.',
        params: z.object(APP_PARAMS),
        body: EventInput,
        response: { 202: AppendedSchema, ...PROBLEM_RESPONSES },
      },
    },
    (request, reply) => {
      publish(context, request as PublishRequest, reply, {
        isBatch: false,
        parse: (body) => [parsePublish(body, { newId, nowMs: now() })],
        render: (appended, cursorOf, warnings) => renderAppended(appended[0], cursorOf, warnings?.[0] ?? null),
      });
    },
  );

  server.post(
    '/v1/apps/:app/events/batch',
    {
      onRequest: guard,
      bodyLimit: MAX_BATCH_BYTES,
      schema: {
        tags,
        operationId: 'publishEvents',
        'x-idempotent': true,
        summary: 'Publish up to 1,000 events',
        description: 'All or nothing, at most 16 MiB in all and 1 MiB of data each.',
        params: z.object(APP_PARAMS),
        body: BatchInput,
        response: { 202: AppendedBatchSchema, ...PROBLEM_RESPONSES },
      },
    },
    (request, reply) => {
      publish(context, request as PublishRequest, reply, {
        isBatch: true,
        parse: (body) => checkSizes(parsePublishBatch(body, { newId, nowMs: now() })),
        render: (appended, cursorOf, warnings) =>
          `{"events":[${appended.map((one, i) => renderAppended(one, cursorOf, warnings?.[i] ?? null)).join(',')}]}`,
      });
    },
  );
}

type Warnings = readonly (FieldError[] | null)[] | null;

interface PublishCall {
  isBatch: boolean;
  parse(body: Buffer): NewEvent[];
  render(
    appended: Appended[],
    cursorOf: (place: { position: number; day: string }) => string,
    warnings: Warnings,
  ): string;
}

function publish(context: ApiContext, request: PublishRequest, reply: FastifyReply, call: PublishCall): void {
  try {
    const appId = context.directory.claimed(request.params.app, request.principal);
    if (typeof appId === 'string') append(context, request, reply, call, appId);
    else
      appId.then(
        (id) => append(context, request, reply, call, id),
        (error) => reply.send(error),
      );
  } catch (error) {
    reply.send(error);
  }
}

function append(
  context: ApiContext,
  request: PublishRequest,
  reply: FastifyReply,
  call: PublishCall,
  appId: string,
): void {
  const body = request.body as Buffer;
  let idempotency: { key: string; bodyHash: Buffer } | null = null;
  let events: NewEvent[];
  let warnings: Warnings;
  try {
    refuseEncoding(request.headers['content-encoding']);
    events = call.parse(body ?? Buffer.alloc(0));
    warnings = context.catalogue.check(appId, events, call.isBatch);
    const key = readIdempotencyKey(request);
    if (key !== null) idempotency = { key, bodyHash: hashBody(body) };
  } catch (error) {
    reply.send(error);
    return;
  }
  context.engine.append({ appId, events, idempotency }).then(
    (appended) => {
      const cursorOf = cursorWriter(context.instance, parseId('app', appId) as string);
      failpoint('publish.before_reply');
      reply
        .code(202)
        .header('content-type', 'application/json; charset=utf-8')
        .send(call.render(appended, cursorOf, warnings));
    },
    (error) => {
      const gone = error instanceof TidingsError && error.code === 'not_found';
      reply.send(gone ? noApp(request.params.app) : error);
    },
  );
}

function checkSizes(events: NewEvent[]): NewEvent[] {
  const at = events.findIndex((event) => event.data.length > MAX_EVENT_BYTES);
  if (at < 0) return events;
  const message = `The data has ${events[at].data.length} bytes; 1 MiB (${MAX_EVENT_BYTES}) is the most.`;
  throw new TidingsError('payload_too_large', `The event at /events/${at} is too large. ${message}`, {
    errors: [{ path: `/events/${at}/data`, message }],
  });
}

function renderAppended(
  appended: Appended,
  cursorOf: (place: { position: number; day: string }) => string,
  warnings: FieldError[] | null,
): string {
  const { id, position, duplicate } = appended;
  const cursor = position === null ? null : `"${cursorOf(appended)}"`;
  const warned = warnings === null ? '' : `,"warnings":${JSON.stringify(warnings)}`;
  return `{"id":"${id}","position":${position},"cursor":${cursor},"duplicate":${duplicate}${warned}}`;
}
