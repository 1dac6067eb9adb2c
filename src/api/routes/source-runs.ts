import { z } from 'zod';
import { TidingsError } from '../../core/errors.ts';
import { listRuns } from '../../storage/fetch-runs.ts';
import { askForFetch, findFetch } from '../../storage/fetch-state.ts';
import { noSource } from '../../storage/sources.ts';
import { appAccess } from '../access.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { DryRunSchema, RunSchema, renderDryRun, renderRun } from '../fetch-json.ts';
import { cutPage, decodePage, idKey, PAGE_QUERY, pageOf } from '../page.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import { knownSource, SOURCE_PARAMS } from './sources.ts';

const Flag = z.enum(['true', 'false']).optional();
/** Of one process: each may read megabytes. */
const MAX_DRY_RUNS = 8;

export function sourceRunRoutes(server: ApiServer, context: ApiContext): void {
  const { db } = context;
  let dryRuns = 0;

  server.get(
    '/v1/apps/:app/sources/:source/runs',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags: ['Sources'],
        operationId: 'listRuns',
        summary: 'List the runs of a source that is fetched',
        description: 'Newest first; the last 200 are kept.',
        params: z.object(SOURCE_PARAMS),
        querystring: z.strictObject(PAGE_QUERY),
        response: { 200: pageOf(RunSchema), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { limit, page } = request.query;
      const before = decodePage(page, idKey('run'));
      const { id } = await knownSource(context, request.appId, request.params.source);
      const runs = await listRuns(db, { appId: request.appId, sourceId: id }, { limit: limit + 1, before });
      return cutPage(runs.map(renderRun), limit, (run) => run.id);
    },
  );

  server.post(
    '/v1/apps/:app/sources/:source/run',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags: ['Sources'],
        operationId: 'runSource',
        summary: 'Fetch a source now',
        description:
          'It is run within a second or two, after the run under way if there is one: look at its runs. With `dry=true` it is fetched at once, the answer shows what would be told, and nothing is told or remembered.',
        params: z.object(SOURCE_PARAMS),
        querystring: z.strictObject({
          dry: Flag,
          allowDeletions: Flag.describe('Somebody has looked: as much may be gone as there is.'),
        }),
        response: {
          200: DryRunSchema.describe('What would be told.'),
          202: z.object({ queued: z.literal(true) }),
          ...PROBLEM_RESPONSES,
        },
      },
    },
    async (request, reply) => {
      const { dry, allowDeletions } = request.query;
      const { id } = await knownSource(context, request.appId, request.params.source);
      const place = { appId: request.appId, sourceId: id };
      const stored = await findFetch(db, place);
      if (stored === null) throw noSource(request.params.source);
      if (stored.config.fetch === undefined) {
        throw new TidingsError('conflict', `The source ${id} is not fetched. Give it something to fetch first.`);
      }
      if (dry !== 'true') {
        if (await askForFetch(db, place, allowDeletions === 'true')) return reply.code(202).send({ queued: true });
        throw new TidingsError(
          'conflict',
          `The source ${id} is paused or disabled. Change it to {"paused": false} first.`,
        );
      }
      if (dryRuns >= MAX_DRY_RUNS) {
        throw new TidingsError('too_many_requests', `${MAX_DRY_RUNS} dry runs are under way here already.`, {
          retryAfterSeconds: 5,
        });
      }
      dryRuns++;
      try {
        const source = { ...stored, allowDeletions: allowDeletions === 'true' };
        return reply.send(renderDryRun(await context.fetches.dryRun(source)));
      } finally {
        dryRuns--;
      }
    },
  );
}
