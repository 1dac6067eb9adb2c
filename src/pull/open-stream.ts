// Opens a stream of an app's log. What can be wrong with its cursor is found here, before anything is sent.
import type { EndpointFilter } from '../core/endpoint.ts';
import { TidingsError } from '../core/errors.ts';
import { compileFilter } from '../core/filter.ts';
import type { LogPlace } from '../log/event-cache.ts';
import type { Tail } from '../log/tail.ts';
import type { Queryable } from '../storage/database.ts';
import type { Head } from '../storage/heads.ts';
import { startOfLog } from './cursor-expired.ts';
import type { FrameForm, FrameRuns } from './frame-runs.ts';
import type { LogReaders } from './log-readers.ts';
import { LogStream, type StreamSink } from './log-stream.ts';

export interface StreamRequest {
  appId: string;
  /** Where it begins; null = at the oldest event kept, `now` = at the head. */
  after: LogPlace | 'now' | null;
  filter: EndpointFilter;
  form: FrameForm;
  sink: StreamSink;
}

export interface OpenStreamParts {
  db: Queryable;
  runs: FrameRuns;
  readers: LogReaders;
  tail: Tail;
  /** The end of the log as the database has it. @throws TidingsError `not_found` */
  readHead: (appId: string) => Promise<Head>;
  onError: (error: unknown) => void;
}

/** A stream that is yet to be started. @throws TidingsError `not_found`, `cursor_ahead`, `cursor_expired` */
export async function openStream(parts: OpenStreamParts, request: StreamRequest): Promise<LogStream> {
  const { appId, form, sink } = request;
  const { runs, readers, tail, onError } = parts;
  const { head, after } = await placesOf(parts, request);
  const filter = compileFilter(request.filter);
  const filterKey = Object.keys(request.filter).length === 0 ? '' : JSON.stringify(request.filter);
  if (after.position < head.position) await runs.load({ appId, after, form, filter, filterKey }, head);
  return new LogStream({
    appId,
    after,
    head,
    form,
    filter,
    filterKey,
    sink,
    runs,
    follow: (reader) => {
      readers.add(appId, reader);
      return () => readers.remove(appId, reader);
    },
    knownHead: () => tail.head(appId),
    onError,
  });
}

async function placesOf(parts: OpenStreamParts, request: StreamRequest): Promise<{ head: Head; after: LogPlace }> {
  const { appId, after } = request;
  const { db, tail, readHead } = parts;
  // A reader that comes back, as thousands may at once, is most often behind what is known here, and costs no query.
  const known = tail.head(appId);
  if (known !== null && after !== null && after !== 'now' && after.position <= known.position) {
    return { head: known, after };
  }
  const head = await readHead(appId);
  if (after === 'now') return { head, after: head };
  if (after === null) return { head, after: await startOfLog(db, appId, head) };
  if (after.position > head.position) {
    throw new TidingsError(
      'cursor_ahead',
      `The cursor is at position ${after.position}, but the log ends at ${head.position}. Was the database restored? Read on from a cursor of this log.`,
    );
  }
  return { head, after };
}
