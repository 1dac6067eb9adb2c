// Stands in for the engine where only the HTTP API is under test: the log is the real tables, written one request at a time, but
// nothing is sent. What the API asked for is kept to be looked at.
import type { Appended, EndpointView, Engine, LaneStatus } from '../src/api/engine.ts';
import type { Endpoint } from '../src/core/endpoint.ts';
import { standardBody } from '../src/core/envelope.ts';
import { TidingsError } from '../src/core/errors.ts';
import type { LogEvent } from '../src/core/event.ts';
import { compileVersions, versionAt } from '../src/core/filter-versions.ts';
import type { IdGenerator } from '../src/core/id.ts';
import { EventCache } from '../src/log/event-cache.ts';
import { pollAfterSeconds } from '../src/pull/poll-pace.ts';
import { type LogPage, type PageRequest, readPage } from '../src/pull/read-page.ts';
import { RenderedLog } from '../src/pull/rendered-log.ts';
import type { Consent, ConsentRequest } from '../src/push/consent.ts';
import { appendEvents } from '../src/storage/append.ts';
import type { Attempt } from '../src/storage/attempt-listing.ts';
import type { Database } from '../src/storage/database.ts';
import { listVersions } from '../src/storage/endpoint-versions.ts';
import { findEvent, readEvents } from '../src/storage/events.ts';
import { type Head, type LogEnd, readLogEnd } from '../src/storage/heads.ts';
import type { Instance } from '../src/storage/instance.ts';

export class TableEngine implements Engine {
  readonly appended: Parameters<Engine['append']>[0][] = [];
  readonly sent: Parameters<Engine['sendNow']>[0][] = [];
  readonly asked: ConsentRequest[] = [];
  consent: Consent = { ratePerMinute: null };
  readonly changedApps: string[] = [];
  readonly changedReplays: string[] = [];
  /** What the next append fails with. */
  failure: Error | null = null;
  lane: LaneStatus | 'at rest' | null = null;
  isReady = true;
  readonly #db: Database;
  readonly #ids: IdGenerator;

  readonly #cache: EventCache;
  readonly #rendered: RenderedLog;

  constructor(parts: { db: Database; ids: IdGenerator; instance: Instance }) {
    this.#db = parts.db;
    this.#cache = new EventCache({ db: parts.db });
    this.#rendered = new RenderedLog({ cache: this.#cache, instance: parts.instance });
    this.#ids = parts.ids;
  }

  async append(request: Parameters<Engine['append']>[0]): Promise<Appended[]> {
    this.appended.push(request);
    if (this.failure !== null) throw this.failure;
    const [group] = await appendEvents(this.#db, [request]);
    if (group === null) throw new TidingsError('not_found', `There is no app ${request.appId}.`);
    return request.events.map(({ id }, i) => ({
      id,
      position: group.base + i + 1,
      day: group.day,
      duplicate: false,
    }));
  }

  async read(request: Parameters<Engine['read']>[0]): ReturnType<Engine['read']> {
    const { appId, after, limit, maxBytes } = request;
    const head = await this.head(appId);
    const from = (after?.position ?? 0) + 1;
    if (from > head.position + 1) throw new TidingsError('cursor_ahead', 'The cursor is ahead of the log.');
    const to = Math.min(head.position, from + limit - 1);
    const range = { appId, from, to, day: after?.day ?? head.day, lastDay: head.day, maxBytes };
    const events: LogEvent[] = await readEvents(this.#db, range);
    const last = events.at(-1) ?? after ?? head;
    return {
      events: events.filter((event) => request.matches?.(event) ?? true),
      cursor: { position: last.position, day: last.day },
      done: last.position === head.position,
    };
  }

  async head(appId: string): Promise<LogEnd> {
    const end = await readLogEnd(this.#db, appId);
    if (end === null) throw new TidingsError('not_found', `There is no app ${appId}.`);
    return end;
  }

  readPage(request: PageRequest, head: Head): Promise<LogPage> {
    return readPage({ db: this.#db, cache: this.#cache, rendered: this.#rendered }, request, head);
  }

  /** As if nothing of the app were in memory. */
  forget(appId: string): void {
    this.#cache.forget(appId);
    this.#rendered.forget(appId);
  }

  pollAfterSeconds(appId: string, end: LogEnd): number {
    return pollAfterSeconds(this.#cache, appId, end, Date.now());
  }

  knownHead(): null {
    return null;
  }

  /** Nothing moves but by requests, and those are answered one by one: nobody needs to be told. */
  follow(): () => void {
    return () => {};
  }

  /** Streams are of the whole server (test/streams.db.test.ts). */
  async openStream(): Promise<never> {
    throw new TidingsError('unavailable', 'There are no streams of tables.');
  }

  findEvent(appId: string, eventId: string): Promise<LogEvent | null> {
    return findEvent(this.#db, appId, eventId);
  }

  async endpointView(endpoint: Endpoint): Promise<EndpointView> {
    const versions = await listVersions(this.#db, { appId: endpoint.appId, endpointId: endpoint.id });
    const compiled = compileVersions(versions);
    return {
      matches: (event) => versionAt(compiled, event.configVersion).compiled.matches(event),
      request: (event) => ({ headers: { 'webhook-id': event.id }, body: standardBody(event) }),
    };
  }

  async askConsent(request: ConsentRequest): Promise<Consent> {
    this.asked.push(request);
    return this.consent;
  }

  catalogueChanged(): void {}

  configChanged(appId: string): void {
    this.changedApps.push(appId);
  }

  async replaysChanged(_appId: string, endpointId: string): Promise<void> {
    this.changedReplays.push(endpointId);
  }

  async laneStatus(): Promise<LaneStatus | 'at rest' | null> {
    return this.lane;
  }

  async isPausing(): Promise<boolean> {
    return this.lane !== null && this.lane !== 'at rest' && this.lane.state === 'pausing';
  }

  async sendNow(request: Parameters<Engine['sendNow']>[0]): Promise<Attempt> {
    this.sent.push(request);
    return {
      id: this.#ids.id('attempt'),
      appId: request.appId,
      endpointId: request.endpoint.id,
      eventId: request.event?.id ?? this.#ids.id('event'),
      position: request.event?.position ?? 0,
      cause: request.cause,
      attempt: 1,
      transformationVersion: null,
      outcome: 'rejected',
      reason: 'status_4xx',
      status: 404,
      startedAt: new Date(0),
      timings: { dnsUs: null, connectUs: 10, tlsUs: null, firstByteUs: 20, totalUs: 30 },
      dead: false,
      remoteAddress: '127.0.0.1:9',
      responseHead: 'HTTP/1.1 404 Not Found\r\n',
      responseBody: Buffer.from([0x6e, 0x6f, 0xff]),
      error: null,
    };
  }

  async ready(): Promise<{ ok: boolean; checks: Record<string, string> }> {
    const ok = this.isReady;
    return { ok, checks: { database: ok ? 'ok' : 'cannot be reached' } };
  }
}
