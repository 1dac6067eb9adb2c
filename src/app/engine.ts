// The engine as the API sees it: writer, log and lanes of this process behind one interface.
import type { Appended, EndpointView, Engine, LaneStatus } from '../api/engine.ts';
import type { Endpoint } from '../core/endpoint.ts';
import { TidingsError } from '../core/errors.ts';
import type { LogEvent } from '../core/event.ts';
import { type IdGenerator, idFromUuid } from '../core/id.ts';
import type { SecretBox } from '../core/secret-box.ts';
import { EndLookups } from '../log/end-lookups.ts';
import type { EventCache } from '../log/event-cache.ts';
import type { Hints } from '../log/hints.ts';
import type { Tail } from '../log/tail.ts';
import type { AppendRequest, Writer } from '../log/writer.ts';
import type { FrameRuns } from '../pull/frame-runs.ts';
import type { LogReader, LogReaders } from '../pull/log-readers.ts';
import type { LogStream } from '../pull/log-stream.ts';
import { openStream, type StreamRequest } from '../pull/open-stream.ts';
import { pollAfterSeconds } from '../pull/poll-pace.ts';
import { readLog } from '../pull/read-log.ts';
import { type LogPage, type PageRequest, readPage } from '../pull/read-page.ts';
import type { RenderedLog } from '../pull/rendered-log.ts';
import { SharedPages } from '../pull/shared-pages.ts';
import type { AddressRules } from '../push/address-guard.ts';
import { buildRequest } from '../push/delivery-request.ts';
import type { Dispatcher } from '../push/dispatcher.ts';
import type { Lane } from '../push/lane.ts';
import { loadEndpoint } from '../push/loaded-endpoint.ts';
import type { Ownership } from '../push/ownership.ts';
import { sendNow } from '../push/send-now.ts';
import type { Sender } from '../push/sender.ts';
import { type Attempt, lastAttemptNumber } from '../storage/attempt-listing.ts';
import type { Database } from '../storage/database.ts';
import { loadSecrets } from '../storage/endpoint-secrets.ts';
import { listVersions } from '../storage/endpoint-versions.ts';
import { findEvent } from '../storage/events.ts';
import type { AttemptRow } from '../storage/flush.ts';
import type { Head, LogEnd } from '../storage/heads.ts';
import type { Readiness } from './readiness.ts';

const HOUR_MS = 3_600_000;
/** Long polls and streams of one app in one process: one app's must not take the sockets of all. */
const MAX_READERS_PER_APP = 10_000;
const PULLED = 'The endpoint is in mode pull: nothing is sent to it, and its events wait to be fetched.';

export interface LocalEngineParts {
  db: Database;
  box: SecretBox;
  rules: AddressRules;
  ids: IdGenerator;
  cache: EventCache;
  rendered: RenderedLog;
  tail: Tail;
  readers: LogReaders;
  runs: FrameRuns;
  writer: Writer;
  dispatcher: Dispatcher;
  ownership: Ownership;
  hints: Hints;
  sender: Sender;
  readiness: Readiness;
  version: string;
  onError: (error: unknown) => void;
}

export class LocalEngine implements Engine {
  readonly #parts: LocalEngineParts;
  readonly #ends: EndLookups;
  readonly #pages: SharedPages;

  constructor(parts: LocalEngineParts) {
    this.#parts = parts;
    this.#ends = new EndLookups(parts);
    this.#pages = new SharedPages({ read: (request, head) => readPage(parts, request, head) });
  }

  append(request: AppendRequest): Promise<Appended[]> {
    return this.#parts.writer.append(request);
  }

  async read(request: Parameters<Engine['read']>[0]): ReturnType<Engine['read']> {
    return readLog(this.#parts, request, await this.head(request.appId));
  }

  async head(appId: string): Promise<LogEnd> {
    const end = await this.#ends.read(appId);
    if (!end) throw new TidingsError('not_found', `There is no app ${appId}.`);
    return end;
  }

  readPage(request: PageRequest, head: Head): Promise<LogPage> {
    return this.#pages.read(request, head);
  }

  pollAfterSeconds(appId: string, end: LogEnd): number {
    return pollAfterSeconds(this.#parts.cache, appId, end, Date.now());
  }

  knownHead(appId: string): Head | null {
    return this.#parts.tail.head(appId);
  }

  follow(appId: string, reader: LogReader): () => void {
    const { readers } = this.#parts;
    if (readers.countOf(appId) >= MAX_READERS_PER_APP) {
      throw new TidingsError(
        'too_many_requests',
        `${MAX_READERS_PER_APP} readers wait on the log of ${appId} here already. Read without waiting, or end some of them.`,
        { retryAfterSeconds: 5 },
      );
    }
    readers.add(appId, reader);
    return () => readers.remove(appId, reader);
  }

  openStream(request: StreamRequest): Promise<LogStream> {
    return openStream({ ...this.#parts, readHead: (appId) => this.head(appId) }, request);
  }

  findEvent(appId: string, eventId: string): Promise<LogEvent | null> {
    return findEvent(this.#parts.db, appId, eventId);
  }

  async endpointView(endpoint: Endpoint): Promise<EndpointView> {
    const { db, box, rules, version } = this.#parts;
    const place = { appId: endpoint.appId, endpointId: endpoint.id };
    const versions = await listVersions(db, place);
    const loaded = loadEndpoint(
      { ...endpoint, versions },
      await loadSecrets(db, box, place.appId, place.endpointId),
      rules,
    );
    return {
      matches: (event) => loaded.matches(event),
      request: (event) => buildRequest(loaded, { event, attempt: 1, startedMs: Date.now() }, version),
    };
  }

  configChanged(appId: string): void {
    this.#parts.dispatcher.configChanged(appId);
    this.#parts.hints.appChanged(appId);
  }

  replaysChanged(appId: string, endpointId: string): void {
    void this.#parts.dispatcher.reloadReplays(appId, endpointId);
  }

  laneStatus(appId: string, endpointId: string): LaneStatus | null {
    const lane = this.#parts.dispatcher.lane(appId, endpointId);
    return lane ? this.#statusOf(lane) : null;
  }

  #statusOf(lane: Lane): LaneStatus {
    const now = Date.now();
    const { settled, meter, lastAttempt } = lane;
    const head = this.#parts.tail.head(lane.appId)?.position ?? settled.position;
    const pending = Math.max(0, head - settled.position);
    const oldest = lane.oldestOpen;
    const ownedMs = now - lane.ownedSinceMs;
    const none = { attempts: 0, delivered: 0 };
    return {
      state: lane.state,
      reason: reasonOf(lane, now),
      settled,
      lag: { events: pending, seconds: pending > 0 && oldest ? Math.max(0, (now - oldest.appendedMs) / 1000) : 0 },
      breaker: lane.breaker.snapshot,
      window: lane.window.size,
      inFlight: lane.inFlight,
      rateTokens: lane.flow.tokens(now),
      throttledUntilMs: lane.throttledUntilMs > now ? lane.throttledUntilMs : null,
      blocked: lane.blocked ? 'retries' : lane.isExhausted ? 'exhausted' : null,
      rate: meter?.perSecond(now) ?? 0,
      lastAttempt: lastAttempt ? toAttempt(lane.appId, lane.endpoint.id, lastAttempt) : null,
      success: {
        '1h': ownedMs < HOUR_MS && !meter ? null : (meter?.lastHour(now) ?? none),
        '24h': ownedMs < 24 * HOUR_MS && !meter ? null : (meter?.lastDay(now) ?? none),
      },
    };
  }

  async sendNow(request: Parameters<Engine['sendNow']>[0]): Promise<Attempt> {
    const { appId, endpoint, cause } = request;
    const { db, box, rules, ids, sender, dispatcher, version, ownership } = this.#parts;
    if (ownership.slotCount === 0) {
      throw new TidingsError('unavailable', 'This process does not send at the moment. Try again in a few seconds.');
    }
    const loaded = loadEndpoint({ ...endpoint, versions: [] }, await loadSecrets(db, box, appId, endpoint.id), rules);
    const event = request.event ?? testEvent(ids.id('event'));
    const { position } = event;
    const earlier = request.event ? await lastAttemptNumber(db, { appId, endpointId: endpoint.id, position }) : 0;
    const attempt = await sendNow(
      { sender, newAttempt: () => dispatcher.newAttempt(), flush: (item) => dispatcher.flusher.add(item), version },
      { appId, endpoint: loaded, event, cause, attempt: earlier + 1 },
    );
    if (cause === 'resend' && attempt.result.outcome === 'delivered') {
      dispatcher.lane(appId, endpoint.id)?.cancelRetry(event.position);
    }
    return toAttempt(appId, endpoint.id, attempt);
  }

  ready(): ReturnType<Engine['ready']> {
    return this.#parts.readiness.check();
  }
}

function reasonOf(lane: Lane, nowMs: number): string | null {
  if (lane.state === 'pull') return PULLED;
  if (lane.state === 'disabled') return 'The endpoint is disabled. Resume it to send again.';
  if (lane.state === 'paused' || lane.state === 'pausing') return 'The endpoint was paused.';
  if (lane.breaker.isOpen) return 'The endpoint cannot be reached; single probes find out when it is back.';
  if (lane.throttledUntilMs > nowMs)
    return `The endpoint asked to wait until ${new Date(lane.throttledUntilMs).toISOString()}.`;
  if (lane.isExhausted) {
    return 'An event has used up its retries and holds up the others, as onExhausted asks. Resend it, or resume the endpoint from the head.';
  }
  if (lane.blocked) return 'Too many events wait for a retry; new ones wait in the log.';
  return null;
}

function testEvent(id: string): Pick<LogEvent, 'id' | 'type' | 'timeMs' | 'data' | 'position'> {
  const data = Buffer.from('{"text":"This is a test event from Tidings."}');
  return { id, type: 'tidings.test', timeMs: Date.now(), position: 0, data };
}

function toAttempt(appId: string, endpointId: string, row: AttemptRow): Attempt {
  const { attemptUuid, event, startedMs, cause, attempt, dead, result } = row;
  return {
    id: idFromUuid('attempt', attemptUuid),
    appId,
    endpointId,
    eventId: event.id,
    position: event.position,
    cause,
    attempt,
    outcome: result.outcome,
    reason: result.reason,
    status: result.status,
    startedAt: new Date(startedMs),
    timings: result.timings,
    dead,
    remoteAddress: result.remoteAddress,
    responseHead: result.responseHead,
    responseBody: result.responseBody,
    error: result.error,
  };
}
