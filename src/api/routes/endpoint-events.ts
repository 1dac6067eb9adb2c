// An endpoint's events for a receiver that fetches them (mode pull), or that looks for what it has missed.
import { z } from 'zod';
import { TidingsError } from '../../core/errors.ts';
import { uuidFromId } from '../../core/id.ts';
import { readDueEvents } from '../../pull/due-events.ts';
import { noEndpoint } from '../../storage/endpoints.ts';
import { commitPulled } from '../../storage/pulled-lane.ts';
import { appAccess } from '../access.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { DueEventPage, renderDuePage } from '../due-json.ts';
import { cursorWriter } from '../event-json.ts';
import { sendJson } from '../json-reply.ts';
import { knownEndpoint } from '../known-endpoint.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import { whileOpen } from '../while-open.ts';
import { ENDPOINT_PARAMS } from './endpoints.ts';
import { placeOfCursor } from './events.ts';

const MAX_EVENTS = 1000;
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_WAIT_SECONDS = 60;

const DueQuery = z.strictObject({
  after: z
    .string()
    .max(500)
    .optional()
    .describe(
      "A cursor: all events from there on that the endpoint's filter took where they stand, delivered or not. Absent: those that were not delivered, failed ones that wait for a retry first.",
    ),
  limit: z.coerce.number().int().min(1).max(MAX_EVENTS).default(100),
  wait: z.coerce.number().min(0).max(MAX_WAIT_SECONDS).default(0).describe('Seconds to wait for the first event.'),
  signatures: z
    .enum(['true', 'false'])
    .default('false')
    .describe('Whether each event comes with its request as the endpoint would be sent it, headers and signature.'),
});

const CommitSchema = z
  .strictObject({ cursor: z.string().max(500).describe('Everything up to here is done.') })
  .meta({ id: 'EndpointCommit' });

const CursorSchema = z.object({ cursor: z.string().describe("The endpoint's cursor.") }).meta({ id: 'EndpointCursor' });

export function endpointEventRoutes(server: ApiServer, context: ApiContext): void {
  const { db, engine, instance, leaving } = context;
  const tags = ['Endpoints'];
  const params = z.object(ENDPOINT_PARAMS);

  server.get(
    '/v1/apps/:app/endpoints/:endpoint/events',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'readEndpointEvents',
        summary: 'Read what an endpoint is or was due',
        description:
          'Oldest first, whatever the mode of the endpoint. A page may be short or empty and not the end: `done` says so.',
        params,
        querystring: DueQuery,
        response: { 200: DueEventPage, ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      const { appId } = request;
      const { after, limit, wait, signatures } = request.query;
      const endpoint = await knownEndpoint(context, appId, request.params.endpoint);
      const place = after === undefined ? null : placeOfCursor(context, uuidFromId('app', appId), after);
      const view = await engine.endpointView(endpoint);
      const page = await whileOpen(leaving, reply, (signal) =>
        readDueEvents(
          { db, source: engine, read: (read) => engine.read(read) },
          {
            appId,
            endpointId: endpoint.id,
            after: place,
            limit,
            maxBytes: MAX_BYTES,
            matches: (event) => view.matches(event),
            waitMs: wait * 1000,
            signal,
          },
        ),
      );
      if (page === null) throw noEndpoint(request.params.endpoint);
      return sendJson(reply, renderDuePage(page, { instance, appId, view: signatures === 'true' ? view : null }));
    },
  );

  server.post(
    '/v1/apps/:app/endpoints/:endpoint/commit',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'commitEndpoint',
        summary: 'Move the cursor of an endpoint in mode pull',
        description:
          'Everything up to the cursor is done: turned to push, the endpoint is sent what comes after it. The cursor never goes back; committed again, it is answered alike.',
        params,
        body: CommitSchema,
        response: { 200: CursorSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const endpoint = await knownEndpoint(context, appId, request.params.endpoint);
      const place = placeOfCursor(context, uuidFromId('app', appId), request.body.cursor);
      const settled = await commitPulled(db, { appId, endpointId: endpoint.id }, place);
      if (settled === false) {
        throw new TidingsError(
          'conflict',
          `The endpoint ${request.params.endpoint} is in mode push: its cursor moves with what is sent. Turn it to pull first.`,
        );
      }
      if (settled === null) {
        throw new TidingsError(
          'cursor_ahead',
          `The cursor is at position ${place.position}, beyond the end of the log. Commit a cursor that a page gave.`,
        );
      }
      return { cursor: cursorWriter(instance, uuidFromId('app', appId))(settled) };
    },
  );
}
