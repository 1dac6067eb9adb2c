// What becomes of a request to a source: handshakes are answered, what is not valid is refused, and what is becomes an event, which is stored
// before the provider has its answer. Whoever is not sure that it was stored gets a 503: providers come again, and what comes twice is one event.
import { hash } from 'node:crypto';
import { TidingsError } from '../core/errors.ts';
import type { NewEvent } from '../core/event.ts';
import type { SourceKey } from '../log/claim.ts';
import { type NewSourceRequest, NO_SOURCE_PLACE } from '../storage/source-requests.ts';
import type { CertificateStore } from './certificate-store.ts';
import { explainRefusal } from './explain-refusal.ts';
import { type Received, receive } from './receive.ts';
import { receivedEvent } from './received-event.ts';
import { redact } from './redaction.ts';
import type { Refused } from './refusal.ts';
import type { RequestLog } from './request-log.ts';
import { SOURCE_TOKEN_PATTERN, type SourceDirectory } from './source-directory.ts';
import type { SourceTransforms, Transformed } from './source-transforms.ts';
import type { WebhookRequest } from './webhook-request.ts';
import type { WebhookResponse } from './webhook-response.ts';
import type { WebhookSource } from './webhook-source.ts';

/** Why a request did not become an event, beside the causes of a refusal. */
export const INGEST_CAUSES = [
  'unknown_source',
  'too_large',
  'rate_limited',
  'paused',
  'duplicate',
  'filtered',
  'transform_failed',
  'transform_unavailable',
  'not_fetched',
  'not_stored',
] as const;
type IngestCause = (typeof INGEST_CAUSES)[number];

export interface IngestRequest extends WebhookRequest {
  readonly rawQuery: string;
  /** Names and values by turns, as they came. */
  readonly rawHeaders: readonly string[];
}

export interface IngestParts {
  directory: SourceDirectory;
  requests: RequestLog;
  certificates: CertificateStore;
  append: (request: {
    appId: string;
    events: NewEvent[];
    idempotency: null;
    received?: SourceKey;
  }) => Promise<{ id: string; duplicate: boolean }[]>;
  transforms: Pick<SourceTransforms, 'apply'>;
  newId: (kind: 'event' | 'request') => string;
  now: () => number;
  /** Keeps the secret that a provider gave in a handshake. */
  learnSecret: (source: WebhookSource, secret: string) => Promise<void>;
  /** Requests an address that a provider named, with GET; resolves with the body of a 2xx, else rejects. */
  visit: (url: string) => Promise<string>;
  onError: (error: unknown) => void;
}

interface Outcome {
  response: WebhookResponse;
  /** null: it became an event, or was a handshake. */
  cause: IngestCause | Refused['cause'] | null;
  detail: string | null;
  type: string | null;
  eventId: string | null;
  refusal?: Refused;
  /** What was wrong, where the cause is too coarse. */
  reason?: string;
}

/** Searching for what was wrong costs many times a verification: it takes at most this share of the time, after a burst of so long. */
const EXPLAINING_SHARE = 0.05;
const EXPLAINING_BURST_MS = 100;

/** Providers wait for seconds, and not for many. */
const MAX_WAIT_MS = 2000;

const PLAIN_ID = /^[\x20-\x7e]{1,256}$/;

const UNKNOWN = answer(404, 'There is no source at this address.');
const TOO_LARGE = answer(413, 'The body is too large.');
const LIMITED = answer(429, 'Too many requests.', 1);
const PAUSED = answer(503, 'This address is paused.', 60);
// Sent again at once it would fail again: the code is to be mended first.
const FAILED = answer(500, 'The request could not be taken. Send it again.', 60);
const LATER = answer(503, 'The request could not be stored. Send it again.', 1);

export class Ingest {
  readonly #parts: IngestParts;
  /** When the time that explaining took so far is made up for; milliseconds of performance.now(). */
  #explainedUntilMs = 0;

  constructor(parts: IngestParts) {
    this.#parts = parts;
  }

  /** After a source was changed in this process. */
  sourceChanged(sourceId: string): void {
    this.#parts.directory.forget(sourceId);
  }

  /** The answer to a request, once what it brought is stored. Never rejects. */
  async receive(token: string, request: IngestRequest): Promise<WebhookResponse> {
    let source: WebhookSource | null;
    try {
      const found = this.#parts.directory.find(token);
      source = found instanceof Promise ? await found : found;
    } catch (error) {
      if (!(error instanceof TidingsError)) this.#parts.onError(error);
      return LATER;
    }
    if (source === null) return this.#unknown(token, request);
    const outcome = await this.#take(source, request);
    if (source.config.capture || (outcome.cause !== null && outcome.cause !== 'not_stored')) {
      this.#keep(source, request, outcome);
    }
    return outcome.response;
  }

  /** The answer to a request whose body was not read to its end; `request` has what was. */
  async refuseTooLarge(token: string, request: IngestRequest, detail: string): Promise<WebhookResponse> {
    const source = await Promise.resolve(this.#parts.directory.find(token)).catch(() => null);
    if (source === null) return this.#unknown(token, request);
    this.#keep(source, request, without(TOO_LARGE, 'too_large', detail));
    return TOO_LARGE;
  }

  async #take(source: WebhookSource, request: IngestRequest): Promise<Outcome> {
    if (source.source.pausedAt !== null) return without(PAUSED, 'paused', 'The source is paused. Resume it.');
    let received = this.#receive(source, request);
    if (received.kind === 'certificate') {
      try {
        await this.#parts.certificates.fetch(received.url);
      } catch (error) {
        return without(LATER, 'not_fetched', (error as Error).message);
      }
      received = this.#receive(source, request);
    }
    switch (received.kind) {
      case 'event':
        return await this.#append(source, request, received);
      case 'refused':
        return { ...without(received.response, received.cause, received.detail), refusal: received };
      case 'handshake':
        return await this.#shakeHands(source, received);
      case 'certificate':
        return this.#notStored(new Error(`The certificate at ${received.url} was fetched and is asked for again.`));
    }
  }

  #receive({ provider, secrets, options }: WebhookSource, request: IngestRequest): Received {
    const { now, certificates } = this.#parts;
    const certificate = (url: string): string | undefined => certificates.get(url);
    return receive(provider, request, { secrets, options, nowMs: now(), certificate });
  }

  async #append(
    source: WebhookSource,
    request: IngestRequest,
    received: Extract<Received, { kind: 'event' }>,
  ): Promise<Outcome> {
    const { type } = received;
    const { config, hidden, bucket } = source;
    const { appId } = source.source;
    const nowMs = this.#parts.now();
    const id = this.#parts.newId('event');
    const { channels } = config;
    let event = receivedEvent(request, { id, type, timeMs: nowMs, channels, secrets: hidden });
    const response = config.response ?? received.response;
    if (!source.filter.matches(event)) {
      return { response, cause: 'filtered', detail: 'The filter of the source does not take it.', type, eventId: null };
    }
    if (bucket !== null) {
      if (bucket.available(nowMs) < 1) {
        const detail = `The source takes ${bucket.perSecond} events a second, and there were more.`;
        return { ...without(LIMITED, 'rate_limited', detail), type };
      }
      bucket.take(nowMs);
    }
    const { transform } = config;
    if (transform.code !== null) {
      const transformed = await this.#parts.transforms.apply({ appId, transform, event, maxWaitMs: MAX_WAIT_MS });
      if (transformed.kind !== 'event') {
        bucket?.giveBack();
        return { ...untransformed(transformed, response), type };
      }
      event = transformed.event;
    }
    const key = this.#keyOf(source, request, received);
    try {
      const [stored] = await this.#parts.append({
        appId,
        events: [event],
        idempotency: null,
        ...(key && { received: key }),
      });
      if (!stored.duplicate) return { response, cause: null, detail: null, type: event.type, eventId: stored.id };
      const detail = `It has come before, as the event ${stored.id}.`;
      return { response, cause: 'duplicate', detail, type, eventId: stored.id };
    } catch (error) {
      bucket?.giveBack();
      if (error instanceof TidingsError && error.code === 'not_found')
        return without(UNKNOWN, 'not_stored', error.detail);
      return this.#notStored(error);
    }
  }

  /** By what the event is known; null = nothing. */
  #keyOf(
    { source, config }: WebhookSource,
    { rawBody }: IngestRequest,
    { externalId, type }: { externalId: string | null; type: string },
  ): SourceKey | null {
    if (config.deduplicateSeconds === 0) return null;
    const key = externalId === null ? bodyKey(type, rawBody) : externalKey(externalId);
    return { sourceId: source.id, key, keptSeconds: config.deduplicateSeconds };
  }

  // What a handshake asks for is done before it is answered: the provider believes the answer.
  async #shakeHands(source: WebhookSource, received: Extract<Received, { kind: 'handshake' }>): Promise<Outcome> {
    try {
      if (received.learnedSecret !== undefined) await this.#parts.learnSecret(source, received.learnedSecret);
    } catch (error) {
      return this.#notStored(error);
    }
    try {
      if (received.visit !== undefined) await this.#parts.visit(received.visit);
    } catch (error) {
      const detail = `The address that the handshake names could not be called: ${(error as Error).message}`;
      return without(LATER, 'not_fetched', detail);
    }
    const detail = `The handshake ${received.name} was answered.`;
    return { response: received.response, cause: null, detail, type: null, eventId: null };
  }

  #notStored(error: unknown): Outcome {
    const known = error instanceof TidingsError && error.status === 503;
    if (!known) this.#parts.onError(error);
    return without(LATER, 'not_stored', (error as Error).message);
  }

  #keep(source: WebhookSource, request: IngestRequest, outcome: Outcome): void {
    const { appId, id: sourceId } = source.source;
    this.#parts.requests.add(sourceId, outcome.cause, () => {
      const { reason, detail } = this.#explain(source, request, outcome);
      const described = this.#describe(request, source.hidden, outcome);
      return { ...described, appId, sourceId, reason, detail: detail?.replaceAll('\u0000', '') ?? null };
    });
  }

  /** A request that nobody knows whose it is: kept for those who run the server, with as much of the address as gives no other away. */
  #unknown(token: string, request: IngestRequest): WebhookResponse {
    const outcome = without(UNKNOWN, 'unknown_source', `No source has the address /in/${shortened(token)}.`);
    this.#parts.requests.add(NO_SOURCE_PLACE.sourceId, outcome.cause, () => ({
      ...this.#describe(request, [], outcome),
      ...NO_SOURCE_PLACE,
      reason: null,
      detail: outcome.detail,
    }));
    return UNKNOWN;
  }

  #describe(
    { method, rawHeaders, rawQuery, rawBody, remoteAddress }: IngestRequest,
    hidden: readonly string[],
    { cause, type, eventId, response }: Outcome,
  ): Omit<NewSourceRequest, 'appId' | 'sourceId' | 'reason' | 'detail'> {
    const { newId, now } = this.#parts;
    return {
      ...redact({ rawHeaders, query: rawQuery, rawBody }, hidden),
      id: newId('request'),
      receivedMs: now(),
      cause,
      method,
      remoteAddress,
      status: response.status,
      type,
      eventId,
      repeats: 0,
    };
  }

  #explain(
    { provider, secrets, options }: WebhookSource,
    request: IngestRequest,
    { refusal, reason, detail }: Outcome,
  ): { reason: string | null; detail: string | null } {
    if (refusal === undefined) return { reason: reason ?? null, detail };
    const { certificates, now, onError } = this.#parts;
    const beganMs = performance.now();
    if (this.#explainedUntilMs > beganMs + EXPLAINING_BURST_MS / EXPLAINING_SHARE) return refusal;
    try {
      const certificate = (url: string): string | undefined => certificates.get(url);
      return explainRefusal(provider, request, { secrets, options, nowMs: now(), certificate }, refusal);
    } catch (error) {
      onError(error);
      return refusal;
    } finally {
      const tookMs = performance.now() - beganMs;
      this.#explainedUntilMs = Math.max(this.#explainedUntilMs, beganMs) + tookMs / EXPLAINING_SHARE;
    }
  }
}

/** The provider's own id, as an event is known by it. What is fetched has the same, so that both are one event. */
export function externalKey(externalId: string): string {
  // Postgres stores no U+0000, and an index takes no key of any length.
  return PLAIN_ID.test(externalId) ? `i:${externalId}` : `h:${hash('sha256', externalId, 'base64url')}`;
}

/** Enough to be told from others, and too little to be guessed from. */
function shortened(token: string): string {
  return SOURCE_TOKEN_PATTERN.test(token) ? `${token.slice(0, 6)}…` : '…';
}

function bodyKey(type: string, rawBody: Buffer): string {
  return `b:${type}:${hash('sha256', rawBody, 'base64url')}`;
}

function without(response: WebhookResponse, cause: NonNullable<Outcome['cause']>, detail: string): Outcome {
  return { response, cause, detail, type: null, eventId: null };
}

/** What did not come through the source's transformation. It is acknowledged only where the code has said that it is not wanted. */
function untransformed(transformed: Exclude<Transformed, { kind: 'event' }>, accepted: WebhookResponse): Outcome {
  const { kind, detail } = transformed;
  if (kind === 'filtered') return without(accepted, 'filtered', detail);
  if (kind === 'unavailable') return without(LATER, 'transform_unavailable', detail);
  return { ...without(FAILED, 'transform_failed', detail), reason: transformed.reason };
}

function answer(status: number, words: string, retryAfterSeconds?: number): WebhookResponse {
  const headers: Record<string, string> = { 'content-type': 'text/plain; charset=utf-8' };
  if (retryAfterSeconds !== undefined) headers['retry-after'] = String(retryAfterSeconds);
  return { status, headers, body: `${words}\n` };
}
