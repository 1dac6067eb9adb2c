// The engine as the API sees it: writer, log and lanes of this process behind one interface.
import type { Appended, EndpointView, Engine } from '../api/engine.ts';
import { type Endpoint, slotOf } from '../core/endpoint.ts';
import { TidingsError } from '../core/errors.ts';
import type { LogEvent } from '../core/event.ts';
import { uuidFromId } from '../core/id.ts';
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
import { askConsent, type Consent, type ConsentRequest } from '../push/consent.ts';
import { buildRequest } from '../push/delivery-request.ts';
import { loadEndpoint } from '../push/loaded-endpoint.ts';
import type { Ownership } from '../push/ownership.ts';
import type { Sender } from '../push/sender.ts';
import type { Attempt } from '../storage/attempt-listing.ts';
import { enqueueCommand } from '../storage/commands.ts';
import { loadSecrets } from '../storage/endpoint-secrets.ts';
import { listVersions } from '../storage/endpoint-versions.ts';
import { findEvent } from '../storage/events.ts';
import type { Head, LogEnd } from '../storage/heads.ts';
import { type DirectAttemptParts, makeAttempt } from './direct-attempt.ts';
import type { LaneOwner } from './lane-owner.ts';
import type { Readiness } from './readiness.ts';

/** Long polls and streams of one app in one process: one app's must not take the sockets of all. */
const MAX_READERS_PER_APP = 10_000;

export interface LocalEngineParts extends DirectAttemptParts {
  sender: Sender;
  cache: EventCache;
  rendered: RenderedLog;
  tail: Tail;
  readers: LogReaders;
  runs: FrameRuns;
  writer: Writer;
  ownership: Ownership;
  hints: Hints;
  owner: LaneOwner;
  readiness: Readiness;
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
    // Without its credential: whoever may read the events is not to have that.
    const loaded = loadEndpoint(
      { ...endpoint, versions, pulledThrough: 0 },
      await loadSecrets(db, box, place.appId, place.endpointId),
      rules,
    );
    return {
      matches: (event) => loaded.matches(event),
      request: (event) => buildRequest(loaded, { event, attempt: 1, startedMs: Date.now() }, version),
    };
  }

  askConsent(request: ConsentRequest): Promise<Consent> {
    return askConsent({ ...this.#parts, tokens: this.#parts.dispatcher.tokens }, request);
  }

  configChanged(appId: string): void {
    this.#parts.dispatcher.configChanged(appId);
    this.#parts.hints.appChanged(appId);
  }

  catalogueChanged(): void {
    this.#parts.hints.catalogueChanged();
  }

  async replaysChanged(appId: string, endpointId: string): Promise<void> {
    const { db, ids, dispatcher, ownership, hints } = this.#parts;
    const slot = slotOf(uuidFromId('endpoint', endpointId));
    if (ownership.owns(slot)) {
      dispatcher.reloadReplays(appId, endpointId);
      return;
    }
    await enqueueCommand(db, { slot, commandUuid: ids.uuid(), appId, endpointId, kind: 'replays', payload: {} });
    hints.commandWaiting(slot);
  }

  laneStatus(appId: string, endpointId: string): ReturnType<Engine['laneStatus']> {
    return this.#parts.owner.status({ appId, endpointId });
  }

  isPausing(endpoint: Endpoint): Promise<boolean> {
    return this.#parts.owner.isPausing(endpoint);
  }

  sendNow(request: Parameters<Engine['sendNow']>[0]): Promise<Attempt> {
    return makeAttempt(this.#parts, request);
  }

  ready(): ReturnType<Engine['ready']> {
    return this.#parts.readiness.check();
  }
}
