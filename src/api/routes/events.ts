import { z } from 'zod';
import { decodeCursor } from '../../core/cursor.ts';
import { TidingsError } from '../../core/errors.ts';
import { EVENT_ID_PATTERN, type LogEvent } from '../../core/event.ts';
import { uuidFromId } from '../../core/id.ts';
import { listEventAttempts } from '../../storage/attempt-listing.ts';
import { appAccess } from '../access.ts';
import { AttemptSchema, renderAttempt } from '../attempt-json.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { cursorWriter, EventSchema, renderEvent } from '../event-json.ts';
import { sendJson } from '../json-reply.ts';
import { knownEndpoint } from '../known-endpoint.ts';
import { decodePage, encodePage, idKey, PAGE_QUERY, pageOf } from '../page.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import { APP_PARAMS } from './apps.ts';

export const EVENT_PARAMS = { ...APP_PARAMS, event: z.string().describe("The event's id.") };

const ResendSchema = z
  .strictObject({ endpoint: z.string().describe("The endpoint's id or uid.") })
  .meta({ id: 'Resend' });

export function eventRoutes(server: ApiServer, context: ApiContext): void {
  const { db, engine, instance } = context;
  const tags = ['Events'];

  server.get(
    '/v1/apps/:app/events/:event',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'getEvent',
        summary: 'Get an event',
        params: z.object(EVENT_PARAMS),
        response: { 200: EventSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      const event = await knownEvent(context, request.appId, request.params.event);
      return sendJson(reply, renderEvent(event, cursorWriter(instance, uuidFromId('app', request.appId))));
    },
  );

  server.get(
    '/v1/apps/:app/events/:event/attempts',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'listEventAttempts',
        summary: "List an event's attempts",
        description: 'Newest first, over all endpoints.',
        params: z.object(EVENT_PARAMS),
        querystring: z.strictObject(PAGE_QUERY),
        response: { 200: pageOf(AttemptSchema), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { limit, page } = request.query;
      const { position } = await knownEvent(context, request.appId, request.params.event);
      const attemptId = decodePage(page, idKey('attempt'));
      const before = attemptId === null ? null : { attemptId };
      const { attempts, next } = await listEventAttempts(db, { appId: request.appId, position }, { limit, before });
      return { data: attempts.map(renderAttempt), nextPage: next === null ? null : encodePage(next.attemptId) };
    },
  );

  server.post(
    '/v1/apps/:app/events/:event/resend',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'resendEvent',
        summary: 'Send an event to an endpoint once more',
        description: 'Makes one attempt now, whatever came of the event before, and answers with it.',
        params: z.object(EVENT_PARAMS),
        body: ResendSchema,
        response: { 200: AttemptSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const event = await knownEvent(context, appId, request.params.event);
      const endpoint = await knownEndpoint(context, appId, request.body.endpoint);
      if (endpoint.pausedAt !== null || endpoint.disabledAt !== null) {
        const state = endpoint.disabledAt !== null ? 'disabled' : 'paused';
        throw new TidingsError(
          'endpoint_paused',
          `The endpoint ${request.body.endpoint} is ${state}. Resume it first.`,
        );
      }
      if (endpoint.config.mode === 'pull') {
        const detail = `The endpoint ${request.body.endpoint} is in mode pull: nothing is sent to it. Read its events, or turn it to push.`;
        throw new TidingsError('endpoint_paused', detail);
      }
      return renderAttempt(await engine.sendNow({ appId, endpoint, event, cause: 'resend' }));
    },
  );
}

/** The place a cursor of this app stands for. @throws TidingsError `invalid_cursor`; `cursor_ahead` for another generation's */
export function placeOfCursor(context: ApiContext, appUuid: string, cursor: string): { position: number; day: string } {
  const { position, day, generation } = decodeCursor(context.instance.cursorKey, appUuid, cursor);
  if (generation !== context.instance.generation) {
    throw new TidingsError(
      'cursor_ahead',
      'The cursor is from before the log was restored. Read again from where you know the events, or without a cursor.',
    );
  }
  return { position, day };
}

/** @throws TidingsError `not_found` */
export async function knownEvent(context: ApiContext, appId: string, eventId: string): Promise<LogEvent> {
  const event = EVENT_ID_PATTERN.test(eventId) ? await context.engine.findEvent(appId, eventId) : null;
  if (event === null) throw new TidingsError('not_found', `There is no event ${eventId} in this app's log.`);
  return event;
}
