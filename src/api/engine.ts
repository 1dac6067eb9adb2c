// What the API needs of the engine, and all that it knows of it.
import type { BreakerSnapshot } from '../core/breaker.ts';
import type { Endpoint, EndpointState } from '../core/endpoint.ts';
import type { LogEvent, NewEvent } from '../core/event.ts';
import type { LogReader } from '../pull/log-readers.ts';
import type { LogStream } from '../pull/log-stream.ts';
import type { StreamRequest } from '../pull/open-stream.ts';
import type { LogPage, PageRequest } from '../pull/read-page.ts';
import type { Consent, ConsentRequest } from '../push/consent.ts';
import type { Attempt } from '../storage/attempt-listing.ts';
import type { Head, LogEnd } from '../storage/heads.ts';

/** A place in an app's log, from which a cursor is made. */
export interface LogPlace {
  position: number;
  day: string;
}

export type Appended = {
  id: string;
  /** The event was there already: the same Idempotency-Key, or the same own id, with the same body. */
  duplicate: boolean;
} & (
  | LogPlace
  /** It waits for its time, or it came from a source that has given it before. */
  | { position: null; day: null }
);

interface SuccessCount {
  attempts: number;
  delivered: number;
}

/**
 * Why an endpoint that runs takes no new events: too many wait for a retry, or under strict order one has used up its schedule and
 * `onExhausted` is `block`.
 */
export const BLOCKS = ['retries', 'exhausted'] as const;

/** An endpoint's live state, as only the owner of its lane knows it. */
export interface LaneStatus {
  state: EndpointState;
  /** In words why it is not active; null when it is. */
  reason: string | null;
  /** Everything up to here is delivered, unmatched, dead or waiting for a retry. */
  settled: LogPlace;
  lag: {
    /** Positions beyond the cursor, matching or not. */
    events: number;
    /** Age of the oldest of them; 0 when there is none. */
    seconds: number;
  };
  breaker: BreakerSnapshot;
  /** How many attempts may be open at once now. */
  window: number;
  inFlight: number;
  /** Requests that its rate allows at once now; null without a rate. */
  rateTokens: number | null;
  /** The endpoint asked not to be sent anything until then; null when it did not, or the time is over. */
  throttledUntilMs: number | null;
  blocked: (typeof BLOCKS)[number] | null;
  /** Attempts a second, averaged over the last ten seconds. */
  rate: number;
  lastAttempt: Attempt | null;
  /** null where the process has not owned the lane for that long. */
  success: { '1h': SuccessCount | null; '24h': SuccessCount | null };
}

export interface EndpointView {
  /** By the filter that was valid where the event stands. */
  matches(event: LogEvent): boolean;
  /** The request that the endpoint would be sent for the event now. @throws FormatError */
  request(event: LogEvent): { headers: Record<string, string>; body: Buffer };
}

export interface Engine {
  /**
   * Appends events to an app's log, those with a `deliverAtMs` to come once it has; resolves once they are committed, one result per event.
   * @throws TidingsError `not_found`, `idempotency_conflict`, `overloaded`, `unavailable`, `unclear`
   */
  append(request: {
    appId: string;
    events: NewEvent[];
    idempotency: { key: string; bodyHash: Buffer } | null;
  }): Promise<Appended[]>;
  /**
   * Reads the log after a place (null = from the oldest event kept); `done` = the head was reached.
   * @throws TidingsError `not_found`, `cursor_ahead`, `cursor_expired`
   */
  read(request: {
    appId: string;
    after: LogPlace | null;
    limit: number;
    maxBytes: number;
    /** null = all events. */
    matches: ((event: LogEvent) => boolean) | null;
  }): Promise<{ events: LogEvent[]; cursor: LogPlace; done: boolean }>;
  /** The end of the log, with all that was committed before the call. @throws TidingsError `not_found` */
  head(appId: string): Promise<LogEnd>;
  /**
   * A page of the log up to `head`, as it goes out; readers who ask for the same one at the same time share it.
   * @throws TidingsError `cursor_ahead`, `cursor_expired`
   */
  readPage(request: PageRequest, head: Head): Promise<LogPage>;
  /** When it pays to read on, for a reader that has reached the end. */
  pollAfterSeconds(appId: string, end: LogEnd): number;
  /** The end of the log as far as this process knows without asking the database; null when it has heard nothing of the app. */
  knownHead(appId: string): Head | null;
  /**
   * Tells `reader` whenever the app's log has moved on, until the function that is returned is called. What moved before is not told: compare
   * with knownHead afterwards. @throws TidingsError `too_many_requests`
   */
  follow(appId: string, reader: LogReader): () => void;
  /**
   * A stream of the log, which is yet to be started.
   * @throws TidingsError `not_found`, `cursor_ahead`, `cursor_expired`
   */
  openStream(request: StreamRequest): Promise<LogStream>;
  findEvent(appId: string, eventId: string): Promise<LogEvent | null>;
  /** What an endpoint takes and how it is sent, for whoever fetches its events. */
  endpointView(endpoint: Endpoint): Promise<EndpointView>;
  /** Asks a URL whether it agrees to be sent events. @throws TidingsError `handshake_failed`, `invalid_url`, `address_forbidden` */
  askConsent(request: ConsentRequest): Promise<Consent>;
  /** After a committed change of the app's endpoints or of the app: this process reloads at once. */
  configChanged(appId: string): void;
  /** The catalogue of event types was changed here. */
  catalogueChanged(): void;
  /** After a replay of the endpoint was created or cancelled: its owner takes it up, or drops it. */
  replaysChanged(appId: string, endpointId: string): Promise<void>;
  /**
   * What the owner of the lane tells, here or in another process. `at rest`: it has nothing of the lane in memory, so what is written down is all
   * there is. null: it does not answer.
   */
  laneStatus(appId: string, endpointId: string): Promise<LaneStatus | 'at rest' | null>;
  /** Whether attempts for an endpoint that was paused may still be open: until its owner says no. */
  isPausing(endpoint: Endpoint): Promise<boolean>;
  /** Makes one attempt now, here or in the process that owns the lane, outside the endpoint's schedule; `event` null = a test event. */
  sendNow(request: {
    appId: string;
    endpoint: Endpoint;
    event: LogEvent | null;
    cause: 'resend' | 'test';
  }): Promise<Attempt>;
  ready(): Promise<{ ok: boolean; checks: Record<string, string> }>;
}
