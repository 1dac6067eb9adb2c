// Filters as the API takes and shows them in bodies. What their values may be is core/filter.ts.
import { z } from 'zod';
import type { Where } from '../core/where.ts';

/** As received: checked by hand and handed on as it came, for a schema would make another object of it. */
const WhereInput = z
  .custom<Where>(() => true)
  .meta({
    id: 'Where',
    type: 'object',
    additionalProperties: true,
    description:
      'Conditions on the event: `{"data": {"amount": {"$gt": 100}, "tags": "urgent"}}`. Paths are nested or dotted, from `data`, `type`, `time` and `channels`; operators are $eq $neq $gt $gte $lt $lte $in $nin $contains $startsWith $endsWith $exists $regex $size $and $or $not. A missing value meets nothing but `{"$exists": false}`; an array meets what one of its elements does. See docs/guide/filters.md.',
  });

/** As answered. */
export const WhereSchema = z
  .custom<Where>(() => true)
  .meta({ type: 'object', additionalProperties: true, description: 'Conditions on the event, as they were given.' });

const LISTS = {
  types: z.array(z.string()).optional().describe('Event types; `*` stands for any characters. Absent = all.'),
  channels: z.array(z.string()).optional().describe('The event has at least one of these. Absent = any.'),
};

/** As received. */
export const FilterSchema = z.strictObject({ ...LISTS, where: WhereInput.optional() }).meta({ id: 'EndpointFilter' });
/** As answered. */
export const StoredFilterSchema = z.object({ ...LISTS, where: WhereSchema.optional() });

export const WhySchema = z
  .array(
    z.object({
      path: z.string().describe('JSON Pointer (RFC 6901) into the event.'),
      expected: z.unknown().describe('The types or channels that are taken; or the condition, such as `{"$gt": 100}`.'),
      actual: z
        .unknown()
        .optional()
        .describe(
          'What is there, or the beginning of its JSON as text when that is long; absent when nothing is there.',
        ),
    }),
  )
  .describe('Each condition that the event does not meet.');
