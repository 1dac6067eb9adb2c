// How the log is written to its readers. Events are put together by hand: `data` goes out byte for byte as it came in, never parsed and
// written again. Ids, types and channels hold no character that JSON escapes (core/event.ts), so all but `data` is ASCII.
import type { LogEvent } from '../core/event.ts';
import { BATCH_TYPE, cloudEventHead } from '../core/formats/cloud-event.ts';
import { formatTime } from '../core/time.ts';

export const LOG_FORMATS = ['json', 'ndjson', 'cloudevents'] as const;
export type LogFormatName = (typeof LOG_FORMATS)[number];

export interface PageEnd {
  /** Where to read on. */
  cursor: string;
  done: boolean;
  pollAfterSeconds: number;
}

/** An event as an endpoint would be sent it. */
export interface SignedBody {
  headers: Readonly<Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>>;
  body: Buffer;
}

export interface LogFormat {
  readonly name: string;
  readonly contentType: string;
  /** Before the first event of a page, and between two. */
  readonly open: string;
  readonly separator: string;
  /** An event up to its data, and after it. */
  before(event: LogEvent, cursor: string): string;
  readonly after: string;
  /** An event's data has no raw line breaks: where JSON allows them a space means the same. */
  readonly isLineBased: boolean;
  /** What stands between data and `after` when the event is signed. */
  signed(signed: SignedBody): string;
  /** After the last of `count` events. */
  close(end: PageEnd, count: number): string;
}

function eventJson(event: LogEvent, cursor: string): string {
  return (
    `{"id":"${event.id}","type":"${event.type}","time":"${formatTime(event.timeMs)}",` +
    `"position":${event.position},"cursor":"${cursor}","channels":${channelsJson(event.channels)},"data":`
  );
}

function channelsJson(channels: readonly string[]): string {
  return channels.length === 0 ? '[]' : JSON.stringify(channels);
}

const webhookMember = ({ headers, body }: SignedBody): string =>
  `,"webhook":{"headers":${JSON.stringify(headers)},"body":${JSON.stringify(body.toString('utf8'))}}`;

/** `{events, cursor, done, pollAfterSeconds}`. */
const json: LogFormat = {
  name: 'json',
  contentType: 'application/json; charset=utf-8',
  open: '{"events":[',
  separator: ',',
  before: eventJson,
  after: '}',
  isLineBased: false,
  signed: webhookMember,
  close: ({ cursor, done, pollAfterSeconds }) =>
    `],"cursor":"${cursor}","done":${done},"pollAfterSeconds":${pollAfterSeconds}}`,
};

/** An event a line, and nothing else: what else a page says is in headers. */
const ndjson: LogFormat = {
  name: 'ndjson',
  contentType: 'application/x-ndjson; charset=utf-8',
  open: '',
  separator: '\n',
  before: eventJson,
  after: '}',
  isLineBased: true,
  signed: webhookMember,
  close: (_end, count) => (count === 0 ? '' : '\n'),
};

/** CloudEvents in batches (core/formats/cloud-event.ts), each with its cursor. */
const cloudevents: LogFormat = {
  name: 'cloudevents',
  contentType: BATCH_TYPE,
  open: '[',
  separator: ',',
  before: (event, cursor) => cloudEventHead(event, `"cursor":"${cursor}",`),
  after: '}',
  isLineBased: false,
  // Extension attributes are plain values with names of lower-case letters and digits.
  signed: ({ headers, body }) =>
    `,"webhookid":"${headers['webhook-id']}","webhooktimestamp":"${headers['webhook-timestamp']}",` +
    `"webhooksignature":"${headers['webhook-signature']}","webhookbody":${JSON.stringify(body.toString('utf8'))}`,
  close: () => ']',
};

export const FORMATS: Readonly<Record<LogFormatName, LogFormat>> = { json, ndjson, cloudevents };
