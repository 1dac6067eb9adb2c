// What a reader may ask of a stream, whichever form it has, and how one begins.
import { z } from 'zod';
import type { EndpointFilter } from '../core/endpoint.ts';
import { uuidFromId } from '../core/id.ts';
import type { FrameForm } from '../pull/frame-runs.ts';
import type { LogStream, StreamSink } from '../pull/log-stream.ts';
import type { ApiContext } from './context.ts';
import type { LogPlace } from './engine.ts';
import { FILTER_QUERY, MAX_WHERE_CHARS, readFilterQuery } from './filter-query.ts';
import { invalidFields } from './problem.ts';
import { placeOfCursor } from './routes/events.ts';

export const StreamQuery = z.strictObject({
  after: z
    .string()
    .max(500)
    .optional()
    .describe('A cursor; absent = from the oldest event kept, `now` = from the head. `Last-Event-ID` goes before it.'),
  types: z.string().max(20_000).optional().describe(FILTER_QUERY.types),
  channels: z.string().max(20_000).optional().describe(FILTER_QUERY.channels),
  where: z.string().max(MAX_WHERE_CHARS).optional().describe(FILTER_QUERY.where),
  consumer: z
    .string()
    .max(200)
    .optional()
    .describe(
      'Over WebSocket: the consumer that `ack` commits for. The stream takes its filter and, without `after`, begins at its cursor.',
    ),
});

/** @throws TidingsError `invalid_request` */
export function streamFilter(query: z.infer<typeof StreamQuery>): EndpointFilter {
  const { filter, errors } = readFilterQuery(query);
  if (errors.length > 0) throw invalidFields(errors, 'query');
  return filter;
}

export interface BeginStream {
  appId: string;
  keyId: string;
  /** A cursor, or `now`; without one the stream begins at `start`. */
  after: string | undefined;
  /** null = the oldest event kept. */
  start: LogPlace | null;
  filter: EndpointFilter;
  form: FrameForm;
  sink: StreamSink;
}

/**
 * A stream that is yet to be started, and its place among those that may be open, to be given back by `release`.
 * @throws TidingsError `invalid_cursor`, `not_found`, `cursor_ahead`, `cursor_expired`, `too_many_requests`
 */
export async function beginStream(
  context: ApiContext,
  { appId, keyId, after, start, filter, form, sink }: BeginStream,
): Promise<{ stream: LogStream; release: () => void }> {
  const place =
    after === undefined || after === 'now' ? (after ?? start) : placeOfCursor(context, uuidFromId('app', appId), after);
  const release = context.streams.reserve({ appId, keyId });
  try {
    const stream = await context.engine.openStream({ appId, after: place, filter, form, sink });
    return { stream, release };
  } catch (error) {
    release();
    throw error;
  }
}
