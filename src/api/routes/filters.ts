// Trying a filter on an event that need not exist, before an endpoint depends on it.
import { z } from 'zod';
import { CHANNEL_PATTERN, EVENT_TYPE_PATTERN, MAX_CHANNELS } from '../../core/event.ts';
import { checkFilter, compileFilter } from '../../core/filter.ts';
import { parseTime } from '../../core/time.ts';
import { access } from '../access.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { FilterSchema, WhySchema } from '../filter-json.ts';
import { invalidFields, PROBLEM_RESPONSES } from '../problem.ts';

const FilterTest = z
  .strictObject({
    filter: FilterSchema,
    event: z
      .looseObject({
        type: z.string().regex(EVENT_TYPE_PATTERN, 'An event type has 1 to 128 of the characters A-Z a-z 0-9 _ . -'),
        time: z.string().optional().describe('RFC 3339; now if absent.'),
        channels: z
          .array(z.string().regex(CHANNEL_PATTERN, 'A channel has 1 to 128 of the characters A-Z a-z 0-9 _ . : / -'))
          .max(MAX_CHANNELS)
          .default([]),
        data: z.unknown().describe('Any JSON value.'),
      })
      .describe('As it would be published, or as it was read; other members are passed over.'),
  })
  .meta({ id: 'FilterTest' });

const FilterTestResult = z
  .object({
    matches: z.boolean(),
    why: WhySchema,
    failure: z
      .string()
      .nullable()
      .describe(
        'Why the filter gave up on the event; null = it did not. An endpoint would have the event in its list of the dead, with `filter_error`.',
      ),
  })
  .meta({ id: 'FilterTestResult' });

export function filterRoutes(server: ApiServer, context: ApiContext): void {
  server.post(
    '/v1/filters/test',
    {
      ...access(context, { permission: 'read' }),
      schema: {
        tags: ['Endpoints'],
        operationId: 'testFilter',
        summary: 'Try a filter on an event',
        description: 'Neither is stored. `why` lists each condition that the event does not meet.',
        body: FilterTest,
        response: { 200: FilterTestResult, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { filter, event } = request.body;
      const { type, channels, time, data } = event;
      const timeMs = time === undefined ? Date.now() : parseTime(time);
      const errors = checkFilter(filter);
      if (timeMs === null) errors.push({ path: '/event/time', message: 'This is no RFC 3339 time.' });
      if (timeMs === null || errors.length > 0) throw invalidFields(errors);
      const compiled = compileFilter(filter);
      const asked = { type, channels, timeMs, data: Buffer.from(JSON.stringify(data)) };
      const failure = compiled.failure(asked);
      const { matches, why } = compiled.explain(asked);
      return { matches: matches && failure === null, why, failure };
    },
  );
}
