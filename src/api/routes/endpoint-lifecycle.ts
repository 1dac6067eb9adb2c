// What is done to an endpoint beside changing its settings: pause, resume, test.
import { z } from 'zod';
import { pauseEndpoint, resumeEndpoint } from '../../storage/endpoint-changes.ts';
import { appAccess } from '../access.ts';
import { AttemptSchema, renderAttempt } from '../attempt-json.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { EndpointSchema, renderEndpoint } from '../endpoint-json.ts';
import { knownEndpoint } from '../known-endpoint.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import { ENDPOINT_PARAMS } from './endpoints.ts';

const NoMembers = z.strictObject({});

const ResumeSchema = z.strictObject({ from: z.enum(['cursor', 'head']).default('cursor') }).meta({ id: 'Resume' });

export function endpointLifecycleRoutes(server: ApiServer, context: ApiContext): void {
  const { db, engine } = context;
  const tags = ['Endpoints'];
  const params = z.object(ENDPOINT_PARAMS);

  server.post(
    '/v1/apps/:app/endpoints/:endpoint/pause',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'pauseEndpoint',
        summary: 'Pause an endpoint',
        description:
          'What is published meanwhile waits in the log, as long as retention keeps it. The state is `pausing` until open attempts have ended.',
        params,
        body: NoMembers.optional(),
        response: { 200: EndpointSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const { id } = await knownEndpoint(context, request.appId, request.params.endpoint);
      const endpoint = await pauseEndpoint(db, { appId, endpointId: id });
      engine.configChanged(appId);
      return renderEndpoint(endpoint, engine);
    },
  );

  server.post(
    '/v1/apps/:app/endpoints/:endpoint/resume',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'resumeEndpoint',
        summary: 'Resume an endpoint',
        description:
          'Ends a pause, and enables what was disabled. It goes on at its cursor, or from the head: then what waited is skipped.',
        params,
        body: ResumeSchema.optional(),
        response: { 200: EndpointSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const { id } = await knownEndpoint(context, request.appId, request.params.endpoint);
      const endpoint = await resumeEndpoint(db, { appId, endpointId: id }, request.body?.from ?? 'cursor');
      engine.configChanged(appId);
      return renderEndpoint(endpoint, engine);
    },
  );

  server.post(
    '/v1/apps/:app/endpoints/:endpoint/test',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'testEndpoint',
        summary: 'Send a test event',
        description: 'Makes one attempt now, also while paused, and answers with it. The event is in no log.',
        params,
        body: NoMembers.optional(),
        response: { 200: AttemptSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const endpoint = await knownEndpoint(context, request.appId, request.params.endpoint);
      return renderAttempt(await engine.sendNow({ appId: request.appId, endpoint, event: null, cause: 'test' }));
    },
  );
}
