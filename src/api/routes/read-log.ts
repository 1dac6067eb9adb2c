// Reading the log by cursor: polled, or held open until it goes on. A hot path as publishing is: no schema runs here, pages are written to the
// socket by hand, and a request that waits keeps nothing but its response.
import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { cursorWriter } from '../../core/cursor.ts';
import { TidingsError } from '../../core/errors.ts';
import { uuidFromId } from '../../core/id.ts';
import { startOfLog } from '../../pull/cursor-expired.ts';
import { LongPoll } from '../../pull/long-poll.ts';
import { type LogPage, MAX_SCANNED, type PageRequest } from '../../pull/read-page.ts';
import type { Head, LogEnd } from '../../storage/heads.ts';
import { acceptedFormat, MEDIA_TYPES } from '../accepted-format.ts';
import { appAccess } from '../access.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import type { LogPlace } from '../engine.ts';
import { EventSchema } from '../event-json.ts';
import { eventSigner } from '../event-signer.ts';
import { FILTER_QUERY } from '../filter-query.ts';
import { buildAnswer, type LogAnswer, writeAnswer, writeNotModified } from '../log-answer.ts';
import { hashRequest, readPageTags, type TaggedPage, writePageTag } from '../page-tag.ts';
import { PROBLEM_RESPONSES, writeProblem } from '../problem.ts';
import {
  DEFAULT_READ_BYTES,
  DEFAULT_READ_EVENTS,
  MAX_READ_BYTES,
  MAX_READ_EVENTS,
  MAX_WAIT_SECONDS,
  MIN_READ_BYTES,
  parseReadQuery,
  preferredWaitSeconds,
  type ReadQuery,
} from '../read-query.ts';
import { APP_PARAMS } from './apps.ts';
import { placeOfCursor } from './events.ts';

const EventPage = z
  .object({
    events: z.array(EventSchema),
    cursor: z.string().describe('Where to read on, as `after`; also when there is no event in this answer.'),
    done: z.boolean().describe('The end of the log was reached. While it is false, read on at once.'),
    pollAfterSeconds: z
      .int()
      .describe('When it pays to read on without `wait`, going by how far apart the latest events are; 0 = at once.'),
  })
  .meta({ id: 'EventPage' });

// The schemas are for the OpenAPI document only.
const QUERY = z.object({
  after: z.string().optional().describe('A cursor; absent = from the oldest event kept, `now` = from the head.'),
  limit: z.int().min(1).max(MAX_READ_EVENTS).default(DEFAULT_READ_EVENTS),
  maxBytes: z
    .int()
    .min(MIN_READ_BYTES)
    .max(MAX_READ_BYTES)
    .default(DEFAULT_READ_BYTES)
    .describe('Bytes of events in one answer; a larger event comes alone.'),
  types: z.string().optional().describe(FILTER_QUERY.types),
  channels: z.string().optional().describe(FILTER_QUERY.channels),
  where: z.string().optional().describe(FILTER_QUERY.where),
  wait: z
    .int()
    .min(0)
    .max(MAX_WAIT_SECONDS)
    .default(0)
    .describe('Seconds to wait for events when there are none; `Prefer: wait=N` asks for the same.'),
  signatures: z
    .string()
    .optional()
    .describe(
      'The id or uid of an endpoint: each event comes with its body and signature as that endpoint would be sent them.',
    ),
});

const NOT_MODIFIED = z.null().describe('If-None-Match names the page as it still is.');

export async function readLogRoutes(server: ApiServer, context: ApiContext): Promise<void> {
  server.setValidatorCompiler(() => () => true);
  server.get(
    '/v1/apps/:app/events',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags: ['Events'],
        operationId: 'readEvents',
        summary: 'Read the log',
        description:
          'Oldest first. A page may be short or empty and not the end: `done` says so. `Accept` chooses JSON, ' +
          `NDJSON (\`${MEDIA_TYPES.ndjson}\`) or CloudEvents (\`${MEDIA_TYPES.cloudevents}\`); cursor and done are in the ` +
          'headers `tidings-cursor` and `tidings-done` too.',
        params: z.object(APP_PARAMS),
        querystring: QUERY,
        response: {
          200: {
            description: 'A page of the log.',
            content: {
              [MEDIA_TYPES.json]: { schema: EventPage },
              [MEDIA_TYPES.ndjson]: { schema: z.string().describe('An Event a line.') },
              [MEDIA_TYPES.cloudevents]: { schema: z.array(z.looseObject({})).describe('CloudEvents 1.0.') },
            },
          },
          304: NOT_MODIFIED,
          ...PROBLEM_RESPONSES,
        },
      },
    },
    async (request, reply) => {
      await new LogRead(context, request).answer(reply);
      return reply;
    },
  );
}

/** One request, until it is answered or waits. */
class LogRead {
  readonly #context: ApiContext;
  readonly #request: FastifyRequest;
  readonly #query: ReadQuery;
  readonly #waitSeconds: number;
  /** Told to the client when it asked by a preference. */
  readonly #applied: readonly string[];

  constructor(context: ApiContext, request: FastifyRequest) {
    this.#context = context;
    this.#request = request;
    this.#query = parseReadQuery(request.query as Record<string, unknown>);
    const preferred = preferredWaitSeconds(request.headers.prefer);
    this.#waitSeconds = this.#query.waitSeconds ?? preferred ?? 0;
    const isApplied = this.#query.waitSeconds === null && preferred !== null;
    this.#applied = isApplied ? ['preference-applied', `wait=${preferred}`] : NONE;
  }

  async answer(reply: FastifyReply): Promise<void> {
    const { appId } = this.#request;
    const { after } = this.#query;
    if (after !== null && after !== 'now') {
      const place = placeOfCursor(this.#context, uuidFromId('app', appId), after);
      await this.#answerAfter(reply, place, null);
      return;
    }
    for (let tries = 1; ; tries++) {
      const end = await this.#context.engine.head(appId);
      const start = after === 'now' ? end : await startOfLog(this.#context.db, appId, end);
      try {
        await this.#answerAfter(reply, { position: start.position, day: start.day }, end);
        return;
      } catch (error) {
        // The oldest events went between the two reads: begin where the log begins now.
        if (tries === 3 || !(error instanceof TidingsError && error.code === 'cursor_expired')) throw error;
      }
    }
  }

  async #answerAfter(reply: FastifyReply, after: LogPlace, known: LogEnd | null): Promise<void> {
    const { engine } = this.#context;
    const page = await this.#pageRequest(after);
    const requestHash = page.key === null ? null : hashRequest(`${page.appId} ${page.key}`);
    const tags = requestHash === null ? [] : readPageTags(this.#request.headers['if-none-match'], requestHash);
    const call: Call = {
      context: this.#context,
      page,
      requestHash,
      isAnchored: known === null,
      tags,
      applied: this.#applied,
    };
    if (answerLasting(call, reply)) return;
    const poll = this.#waitSeconds > 0 ? new LongPoll(engine, page) : null;
    let isWaiting = false;
    try {
      const end = known ?? this.#knownEnd(page) ?? (await engine.head(page.appId));
      const isAtEnd = after.position === end.position;
      if (!(poll && isAtEnd) && answerUnchanged(call, reply, end)) return;
      const first = await engine.readPage(page, end);
      if (poll === null || first.count > 0 || !first.done) {
        const seconds = first.done && poll === null ? pollAfter(this.#context, page.appId, end) : 0;
        reply.hijack();
        answerPage(call, reply.raw, first, seconds);
      } else {
        isWaiting = true;
        reply.hijack();
        answerLater(call, reply.raw, poll, { place: first.cursor, waitMs: this.#waitSeconds * 1000 });
      }
    } finally {
      if (!isWaiting) poll?.abandon();
    }
  }

  /**
   * The end of the log as this process knows it, where that will do: a page that cannot come near it, or a reader who is there and is going to
   * wait for what this process learns anyway.
   */
  #knownEnd({ appId, after, limit, filter }: PageRequest): Head | null {
    const known = this.#context.engine.knownHead(appId);
    if (known === null) return null;
    const ahead = known.position - after.position;
    if (ahead === 0 && this.#waitSeconds >= TRUSTING_WAIT_SECONDS) return known;
    return ahead > (filter === null ? limit : MAX_SCANNED + limit) ? known : null;
  }

  async #pageRequest(after: LogPlace): Promise<PageRequest> {
    const { appId, headers } = this.#request;
    const { limit, maxBytes, filter, filterKey, signatures } = this.#query;
    const format = acceptedFormat(headers.accept);
    const sign = signatures === null ? null : await eventSigner(this.#context, appId, signatures);
    const key = sign === null ? `${format.name} ${limit} ${maxBytes} ${filterKey}` : null;
    return { appId, format, after, limit, maxBytes, filter, key, sign };
  }
}

const NONE: readonly string[] = [];
/** Longer than a process takes to learn of what others have committed. */
const TRUSTING_WAIT_SECONDS = 5;

/** What is left of a request once it has been read: it may be kept for a minute. */
interface Call {
  context: ApiContext;
  page: PageRequest;
  /** null = the page is not for keeping. */
  requestHash: string | null;
  isAnchored: boolean;
  /** The pages that the client has. */
  tags: TaggedPage[];
  applied: readonly string[];
}

/** A page that did not reach the end never changes, so a client that has it is told so without asking anybody. */
function answerLasting({ page, requestHash, isAnchored, tags, applied }: Call, reply: FastifyReply): boolean {
  const tag = isAnchored ? tags.find(({ start, done }) => !done && start === page.after.position) : undefined;
  if (tag === undefined) return false;
  reply.hijack();
  const etag = writePageTag(tag, requestHash!);
  writeNotModified(reply.raw, { tag: etag, isLasting: true, pollAfterSeconds: 0 }, applied);
  return true;
}

/** A page that reached the end is the same for as long as the log ends there. */
function answerUnchanged(call: Call, reply: FastifyReply, end: Head | LogEnd): boolean {
  const { context, page, requestHash, tags, applied } = call;
  const tag = tags.find(({ start, ...one }) => start === page.after.position && one.end === end.position);
  if (tag === undefined) return false;
  reply.hijack();
  const pollAfterSeconds = pollAfter(context, page.appId, end);
  writeNotModified(reply.raw, { tag: writePageTag(tag, requestHash!), isLasting: false, pollAfterSeconds }, applied);
  return true;
}

function pollAfter({ engine }: ApiContext, appId: string, end: Head | LogEnd): number {
  return 'idleMs' in end ? engine.pollAfterSeconds(appId, end) : 0;
}

function answerLater(
  call: Call,
  response: ServerResponse,
  poll: LongPoll,
  { place, waitMs }: { place: LogPlace; waitMs: number },
): void {
  const { leaving, onError } = call.context;
  response.on('close', () => {
    leaving.delete(poll);
    poll.abandon();
  });
  poll.wait(place, waitMs, (result) => {
    leaving.delete(poll);
    if (leaving.isLeaving) response.shouldKeepAlive = false;
    if ('error' in result) writeProblem(response, result.error, onError);
    else if (!result.timedOut) answerPage(call, response, result.page, 0);
    else answerNothing(call, response, result.page);
  });
  leaving.add(poll);
}

/** The time is over, and nothing has come. */
function answerNothing(call: Call, response: ServerResponse, page: LogPage): void {
  const { requestHash, tags, applied } = call;
  const tag = tags.find(({ start, end }) => start === page.start.position && end === page.cursor.position);
  if (tag === undefined) answerPage(call, response, page, 0);
  else {
    writeNotModified(
      response,
      { tag: writePageTag(tag, requestHash!), isLasting: false, pollAfterSeconds: 0 },
      applied,
    );
  }
}

// Who waited for the same event is answered alike.
const answers = new WeakMap<LogPage, { requestHash: string | null; answer: LogAnswer }>();

function answerPage(call: Call, response: ServerResponse, page: LogPage, pollAfterSeconds: number): void {
  const { context, requestHash, isAnchored, applied } = call;
  const { appId, format } = call.page;
  const known = answers.get(page);
  if (known !== undefined && known.requestHash === requestHash && pollAfterSeconds === 0) {
    writeAnswer(response, known.answer, applied);
    return;
  }
  const cursor = cursorWriter(context.instance, uuidFromId('app', appId))(page.cursor);
  const answer = buildAnswer(format, page, { cursor, requestHash, isAnchored, pollAfterSeconds });
  if (pollAfterSeconds === 0 && requestHash !== null && page.count > 0) answers.set(page, { requestHash, answer });
  writeAnswer(response, answer, applied);
}
