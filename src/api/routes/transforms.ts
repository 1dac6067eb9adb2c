import { z } from 'zod';
import { EVENT_TYPE_PATTERN } from '../../core/event.ts';
import { parseTime } from '../../core/time.ts';
import { checkTransformation, TRANSFORMATION_FAILURES, type Verdict } from '../../core/transformation.ts';
import { listTransformations } from '../../storage/transformations.ts';
import { consoleOf, toVerdict } from '../../transform/verdict.ts';
import { checkRoom, notRun } from '../accepted-transformation.ts';
import { access, appAccess } from '../access.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { knownEndpoint } from '../known-endpoint.ts';
import { cutPage, decodePage, PAGE_QUERY, pageOf } from '../page.ts';
import { invalidFields, PROBLEM_RESPONSES } from '../problem.ts';
import { Time } from '../text.ts';
import { ENDPOINT_PARAMS } from './endpoints.ts';

const TestSchema = z
  .strictObject({
    code: z.string().describe('JavaScript: a module whose default export is a function of the event.'),
    event: z
      .strictObject({
        id: z.string().max(64).default('evt_test'),
        type: z.string().default('test.event'),
        time: Time.optional().describe('What its clock says; now if absent.'),
        channels: z.array(z.string()).default([]),
        request: z
          .strictObject({ headers: z.record(z.string(), z.string()) })
          .optional()
          .describe('What the code of a source sees of a request; names in lower case.'),
        data: z.unknown().describe('Any JSON; null if absent.'),
      })
      .describe('As the code gets it.'),
  })
  .meta({ id: 'TransformTest' });

const OutputSchema = z.object({
  type: z.string(),
  time: Time,
  channels: z.unknown().describe('As the code returned them, null if it did not. Only sources give them to the event.'),
  data: z.unknown(),
  body: z.string().nullable().describe("What is sent in place of what the endpoint's format makes of the event."),
  contentType: z.string().nullable().describe('Of `body`.'),
  method: z.string().nullable().describe('null = POST.'),
  path: z.string().nullable().describe("null = that of the endpoint's URL."),
  headers: z.record(z.string(), z.string()),
});

const TestedSchema = z
  .object({
    verdict: z.enum(['sent', 'filtered', 'failed']),
    output: OutputSchema.nullable().describe('What would be sent; null when nothing would be.'),
    reason: z.string().nullable().describe('Of an event that is filtered: what the code wrote last.'),
    error: z
      .object({
        reason: z.enum(TRANSFORMATION_FAILURES),
        message: z.string(),
        line: z.int().nullable(),
        column: z.int().nullable(),
      })
      .nullable(),
    console: z.array(z.string()).describe('What the code wrote.'),
    durationMs: z.number(),
  })
  .meta({ id: 'TransformTested' });

const VersionSchema = z
  .object({ version: z.int(), code: z.string(), createdAt: Time })
  .meta({ id: 'TransformationVersion' });

export function transformRoutes(server: ApiServer, context: ApiContext): void {
  const { db, transforms } = context;
  const tags = ['Transformations'];

  server.post(
    '/v1/transforms/test',
    {
      ...access(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'testTransformation',
        summary: 'Try a transformation on an event',
        description: 'In the same sandbox, with the same limits, as what is sent. Nothing is stored or sent.',
        body: TestSchema,
        response: { 200: TestedSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { code } = request.body;
      const event = givenEvent(request.body.event, context.now());
      const faults = checkTransformation(code, '/code');
      if (faults.length > 0) throw invalidFields(faults);
      const queue = `${request.principal.appId ?? 'instance'} test`;
      checkRoom(transforms, queue);
      const end = await transforms.try({ appId: queue, code, event });
      if ('unavailable' in end) throw notRun(end.unavailable);
      const durationMs = Math.round(end.durationMs * 1000) / 1000;
      return { ...renderVerdict(toVerdict(end.answer, event)), console: consoleOf(end.answer), durationMs };
    },
  );

  server.get(
    '/v1/apps/:app/endpoints/:endpoint/transforms',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'listTransformations',
        summary: "List the versions of an endpoint's transformation",
        description: 'Newest first; the last hundred are kept.',
        params: z.object(ENDPOINT_PARAMS),
        querystring: z.strictObject(PAGE_QUERY),
        response: { 200: pageOf(VersionSchema), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const { id } = await knownEndpoint(context, appId, request.params.endpoint);
      const { limit, page } = request.query;
      const before = decodePage(page, z.int());
      const versions = await listTransformations(db, { appId, endpointId: id }, { limit: limit + 1, before });
      return cutPage(
        versions.map((one) => ({ ...one, createdAt: one.createdAt.toISOString() })),
        limit,
        ({ version }) => version,
      );
    },
  );
}

function givenEvent(given: z.infer<typeof TestSchema>['event'], nowMs: number) {
  const { id, type, time, channels, request, data } = given;
  const timeMs = time === undefined ? nowMs : parseTime(time);
  const errors = [];
  if (!EVENT_TYPE_PATTERN.test(type)) errors.push({ path: '/event/type', message: `${type} is no event type.` });
  if (timeMs === null) errors.push({ path: '/event/time', message: `${time} is not a time in the form of RFC 3339.` });
  if (errors.length > 0) throw invalidFields(errors);
  const received = request === undefined ? {} : { request };
  return { id, type, timeMs: timeMs!, channels, ...received, data: Buffer.from(JSON.stringify(data ?? null)) };
}

function renderVerdict(verdict: Verdict): Omit<z.infer<typeof TestedSchema>, 'console' | 'durationMs'> {
  switch (verdict.kind) {
    case 'sent': {
      const { type, timeMs, channels, data, body, method, path, headers } = verdict;
      const output = {
        type,
        time: new Date(timeMs).toISOString(),
        channels: channels ?? null,
        data: JSON.parse(data.toString('utf8')),
        body: body?.bytes.toString('utf8') ?? null,
        contentType: body?.contentType ?? null,
        method,
        path,
        headers: headers ?? {},
      };
      return { verdict: 'sent', output, reason: null, error: null };
    }
    case 'filtered':
      return { verdict: 'filtered', output: null, reason: verdict.reason, error: null };
    case 'failed':
      return {
        verdict: 'failed',
        output: null,
        reason: null,
        error: { reason: verdict.reason, ...verdict.error },
      };
    case 'unavailable':
      throw notRun(verdict.message);
  }
}
