import { z } from 'zod';
import { compileVersions } from '../../core/filter-versions.ts';
import { uuidFromId } from '../../core/id.ts';
import { listVersions } from '../../storage/endpoint-versions.ts';
import { planReplay } from '../../storage/replay-plan.ts';
import { cancelReplay, createReplay, findReplay, listReplays, noReplay } from '../../storage/replays.ts';
import { appAccess } from '../access.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { cursorWriter } from '../event-json.ts';
import { creationKey } from '../idempotency-key.ts';
import { knownEndpoint } from '../known-endpoint.ts';
import { resolveRange } from '../log-range.ts';
import { cutPage, decodePage, idKey, PAGE_QUERY, pageOf } from '../page.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import {
  acceptTypes,
  NewReplaySchema,
  ReplayPlanSchema,
  ReplaySchema,
  renderPlan,
  renderReplay,
} from '../replay-json.ts';
import { ENDPOINT_PARAMS } from './endpoints.ts';

export function replayRoutes(server: ApiServer, context: ApiContext): void {
  const { db, engine, ids, instance } = context;
  const tags = ['Replays'];
  const params = z.object(ENDPOINT_PARAMS);
  const replayParams = z.object({ ...ENDPOINT_PARAMS, replay: z.string().describe("The replay's id.") });

  server.post(
    '/v1/apps/:app/endpoints/:endpoint/replays',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'createReplay',
        'x-idempotent': true,
        summary: 'Send a past range of the log again',
        description:
          'Runs beside the live events, which come first. What it fails to deliver is tried again by the schedule of the endpoint. The `webhook-id` of an event is the same as before.',
        params,
        body: NewReplaySchema,
        response: { 201: ReplaySchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      const { appId } = request;
      const { only, types, ...range } = request.body;
      const { id: endpointId } = await knownEndpoint(context, appId, request.params.endpoint);
      const replay = await createReplay(db, {
        id: ids.id('replay'),
        appId,
        endpointId,
        ...(await resolveRange(context, appId, range)),
        only,
        types: acceptTypes(types),
        reason: null,
        idempotency: creationKey(request),
      });
      await engine.replaysChanged(appId, endpointId);
      return reply.code(201).send(renderReplay(replay, instance));
    },
  );

  server.post(
    '/v1/apps/:app/endpoints/:endpoint/replays/plan',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'planReplay',
        summary: 'Count what a replay would send',
        description: 'Sends nothing.',
        params,
        body: NewReplaySchema,
        response: { 200: ReplayPlanSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const { only, types, ...ends } = request.body;
      const { id: endpointId } = await knownEndpoint(context, appId, request.params.endpoint);
      const range = await resolveRange(context, appId, ends);
      const replay = { appId, endpointId, ...range, only, types: acceptTypes(types), reason: null };
      const versions = compileVersions(await listVersions(db, { appId, endpointId }));
      const plan = await planReplay(db, replay, versions);
      return renderPlan(plan, range, cursorWriter(instance, uuidFromId('app', appId)));
    },
  );

  server.get(
    '/v1/apps/:app/endpoints/:endpoint/replays',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'listReplays',
        summary: "List an endpoint's replays",
        description: 'Newest first.',
        params,
        querystring: z.strictObject(PAGE_QUERY),
        response: { 200: pageOf(ReplaySchema), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const { limit, page } = request.query;
      const { id: endpointId } = await knownEndpoint(context, appId, request.params.endpoint);
      const before = decodePage(page, idKey('replay'));
      const replays = await listReplays(db, { appId, endpointId }, { limit: limit + 1, before });
      return cutPage(
        replays.map((replay) => renderReplay(replay, instance)),
        limit,
        (replay) => replay.id,
      );
    },
  );

  server.get(
    '/v1/apps/:app/endpoints/:endpoint/replays/:replay',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'getReplay',
        summary: 'Get a replay with its progress',
        params: replayParams,
        response: { 200: ReplaySchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const { id: endpointId } = await knownEndpoint(context, appId, request.params.endpoint);
      const replay = await findReplay(db, { appId, endpointId, replayId: request.params.replay });
      if (replay === null) throw noReplay(request.params.replay);
      return renderReplay(replay, instance);
    },
  );

  server.delete(
    '/v1/apps/:app/endpoints/:endpoint/replays/:replay',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'cancelReplay',
        summary: 'Cancel a replay',
        description:
          'Attempts that are under way end, nothing more is sent for it, and it answers with how far it came. One that is done stays as it is.',
        params: replayParams,
        response: { 200: ReplaySchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const { id: endpointId } = await knownEndpoint(context, appId, request.params.endpoint);
      const replay = await cancelReplay(db, { appId, endpointId, replayId: request.params.replay });
      await engine.replaysChanged(appId, endpointId);
      return renderReplay(replay, instance);
    },
  );
}
