// A lane alone, with its host in the test's hands: what is read, sent and flushed ends when the test says so.
import type { BreakerSnapshot } from '../src/core/breaker.ts';
import { ENDPOINT_DEFAULTS, type EndpointConfig } from '../src/core/endpoint.ts';
import type { LogEvent } from '../src/core/event.ts';
import { IdGenerator } from '../src/core/id.ts';
import type { SendResult } from '../src/core/outcome.ts';
import { parseSecret } from '../src/core/signature.ts';
import { CHUNK_POSITIONS, type LogPlace } from '../src/log/event-cache.ts';
import type { DeliveryBatch } from '../src/push/delivery-batch.ts';
import type { FlushItem } from '../src/push/flusher.ts';
import { Lane } from '../src/push/lane.ts';
import type { HostedLane, LaneHost } from '../src/push/lane-host.ts';
import type { RunningReplay } from '../src/push/lane-replays.ts';
import type { LoadedEndpoint } from '../src/push/loaded-endpoint.ts';
import type { OpenAttempt } from '../src/push/open-attempt.ts';
import type { LaneRow, ReplayRow } from '../src/storage/flush.ts';
import type { StoredReplay } from '../src/storage/replays.ts';
import type { StoredRetry } from '../src/storage/retries.ts';

export const DAY = '2026-11-21';
export const NOW_MS = 1_800_000_000_000;
const KEY = { appUuid: '0197a000-0000-7000-8000-000000000001', endpointUuid: '0197a000-0000-7000-8000-000000000002' };

export const anEvent = (position: number, bytes = 2): LogEvent => ({
  appId: 'app_1',
  position,
  day: DAY,
  id: `evt_${position}`,
  type: 'a',
  timeMs: 0,
  appendedMs: 0,
  channels: [],
  configVersion: 1,
  data: bytes === 2 ? Buffer.from('{}') : Buffer.alloc(bytes, 0x20),
});

export const aRetry = (position: number, more: Partial<StoredRetry> = {}): StoredRetry => ({
  position,
  day: DAY,
  eventId: `evt_${position}`,
  attempts: 1,
  consumed: 1,
  dueMs: 0,
  transformationVersion: null,
  ...more,
});

export function anEndpoint(
  overrides: Partial<LoadedEndpoint> & { settings?: Partial<EndpointConfig> } = {},
): LoadedEndpoint {
  const { settings, ...loaded } = overrides;
  return {
    id: 'ep_1',
    config: {
      ...ENDPOINT_DEFAULTS,
      url: 'https://example.com/',
      maxConcurrency: 8,
      timeoutMs: 1000,
      disableAfterSeconds: 3600,
      ...settings,
    },
    configVersion: 1,
    paused: false,
    disabled: false,
    skipThrough: 0,
    pulledThrough: 0,
    target: null as never,
    format: null,
    headers: settings?.headers ?? {},
    echoes: null,
    grant: null,
    signer: null,
    keys: () => [parseSecret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')],
    matches: () => true,
    filterFailure: null,
    exactTypes: null,
    ...loaded,
  };
}

export const DELIVERED: SendResult = {
  outcome: 'delivered',
  reason: 'delivered',
  status: 200,
  timings: { dnsUs: null, connectUs: null, tlsUs: null, firstByteUs: 1, totalUs: 2 },
  remoteAddress: null,
  responseHead: null,
  responseBody: null,
  retryAfterMs: null,
  error: null,
};

interface Sent {
  /** The request's first. */
  attempt: OpenAttempt;
  batch: DeliveryBatch | null;
  answer: (result: SendResult) => void;
  isAnswered: boolean;
}

interface Waiting<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

export const REJECTED: SendResult = { ...DELIVERED, outcome: 'rejected', reason: 'status_4xx', status: 400 };
export const THROTTLED: SendResult = {
  ...DELIVERED,
  outcome: 'throttled',
  reason: 'status_429',
  status: 429,
  retryAfterMs: 2000,
};
export const UNREACHABLE: SendResult = { ...DELIVERED, outcome: 'unreachable', reason: 'status_5xx', status: 500 };

export const aReplay = (more: Partial<StoredReplay> = {}): RunningReplay => ({
  replay: {
    replayId: 'rpl_1',
    replayUuid: '0197a000-0000-7000-8000-000000000003',
    endpointId: 'ep_1',
    fromPosition: 0,
    fromDay: DAY,
    toPosition: 100,
    toDay: DAY,
    only: 'all',
    types: null,
    reason: null,
    settledThrough: 0,
    settledDay: DAY,
    lowAttemptUuid: null,
    delivered: 0,
    dead: 0,
    ...more,
  },
  state: { settledBeyond: undefined, lowAttemptUuid: null, retries: undefined },
});

/** As the log is read: up to the end of a chunk. */
function positionsBetween(from: LogPlace, to: LogPlace): number[] {
  const end = Math.min(to.position, Math.floor(from.position / CHUNK_POSITIONS + 1) * CHUNK_POSITIONS - 1);
  return Array.from({ length: Math.max(0, end - from.position + 1) }, (_, i) => from.position + i);
}

/** A lane whose turns, reads, answers and flushes are taken by hand. */
export function laneAlone(stored: {
  settledThrough: number;
  settledBeyond?: Set<number>;
  retries?: { total: number; next: StoredRetry[] };
  settings?: Partial<EndpointConfig>;
  replays?: RunningReplay[];
  breaker?: BreakerSnapshot;
  /** Whether the events of retries, and of replays' ranges, are there as soon as they are asked for. */
  readsAtOnce?: boolean;
  /** Bytes and type of the event at a position. */
  sizeOf?: (position: number) => number;
  typeOf?: (position: number) => string;
}) {
  const ids = new IdGenerator({ now: () => NOW_MS, randomBytes: (size) => Buffer.alloc(size) });
  let routed: LogPlace = { position: stored.settledThrough, day: DAY };
  const state = { nowMs: NOW_MS, maySend: true, mayTransform: true };
  const ready = new Set<HostedLane>();
  const wakes: number[] = [];
  const sent: Sent[] = [];
  const flushed: FlushItem[] = [];
  const reads: Waiting<LogEvent[]>[] = [];
  const eventReads: (Waiting<LogEvent | null> & { position: number })[] = [];
  const refills: Waiting<StoredRetry[]>[] = [];
  const lists: Waiting<LogPlace[]>[] = [];
  const transitions: string[] = [];
  const died: string[] = [];
  const disabled: string[] = [];
  const expired = new Set<number>();
  const eventAt = (position: number): LogEvent => {
    const event = anEvent(position, stored.sizeOf?.(position));
    return { ...event, type: stored.typeOf?.(position) ?? event.type };
  };
  const waitIn = <T>(list: Waiting<T>[]) => new Promise<T>((resolve, reject) => list.push({ resolve, reject }));
  const host: LaneHost = {
    now: () => state.nowMs,
    random: () => 0.5,
    newAttempt: () => ({ attemptUuid: ids.uuid(), day: DAY, startedMs: state.nowMs }),
    maySend: () => state.maySend,
    mayTransform: () => state.mayTransform,
    newUuid: () => ids.uuid(),
    opened: () => {},
    closed: () => {},
    send: (request, done) => {
      const batch = 'attempts' in request ? request : null;
      sent.push({
        attempt: batch ? batch.attempts[0] : (request as OpenAttempt),
        batch,
        answer: done,
        isAnswered: false,
      });
    },
    flush: (item) => flushed.push(item),
    checkpointSoon: () => {},
    ready: (lane) => ready.add(lane),
    wakeAt: (_, atMs) => wakes.push(atMs),
    readAt: (_, { position }) => {
      if (stored.readsAtOnce) return Promise.resolve(expired.has(position) ? null : eventAt(position));
      return new Promise((resolve, reject) => eventReads.push({ position, resolve, reject }));
    },
    moreRetries: () => waitIn(refills),
    listFailed: () => waitIn(lists),
    breakerChanged: (_, transition) => transitions.push(transition),
    disable: (_, reason) => disabled.push(reason),
    died: (_, eventId, reason) => died.push(`${eventId} ${reason}`),
    failed: () => {},
    read: (from, to) => (stored.readsAtOnce ? Promise.resolve(positionsBetween(from, to).map(eventAt)) : waitIn(reads)),
    routed: () => routed,
  };
  const lane = new Lane({
    host,
    appId: 'app_1',
    key: KEY,
    endpoint: anEndpoint({ settings: stored.settings }),
    stored: {
      endpointId: 'ep_1',
      settledThrough: stored.settledThrough,
      settledDay: DAY,
      lowAttemptUuid: null,
      breaker: stored.breaker ?? { state: 'closed', openSinceMs: null, nextProbeMs: null },
    },
    state: { settledBeyond: stored.settledBeyond, lowAttemptUuid: null, retries: stored.retries },
    replays: stored.replays ?? [],
  });
  return {
    lane,
    state,
    /** Hands over all events up to this position. */
    offerThrough(position: number): void {
      for (let next = routed.position + 1; next <= position; next++) this.offer(next);
    },
    /** The positions of each request that was sent. */
    get requests(): number[][] {
      return sent.map(({ attempt, batch }) => (batch?.attempts ?? [attempt]).map(({ event }) => event.position));
    },
    /** Answers the requests that are not yet answered, and takes the turns that follow. */
    async answer(result: SendResult | ((positions: number[]) => SendResult)): Promise<void> {
      for (const one of sent) {
        if (one.isAnswered) continue;
        one.isAnswered = true;
        const positions = (one.batch?.attempts ?? [one.attempt]).map(({ event }) => event.position);
        one.answer(typeof result === 'function' ? result(positions) : result);
      }
      await this.turn();
    },
    /** Time goes on. */
    async wait(ms: number): Promise<void> {
      state.nowMs += ms;
      lane.wake();
      await this.turn();
    },
    /** Commits what there is to be, checkpoints with it, until nothing more comes of it. */
    async settle(): Promise<{ lane: LaneRow | null; replays: ReplayRow[] }> {
      const items = flushed.splice(0);
      for (const item of items) item.taken?.();
      const rows = { lane: lane.checkpoint(state.nowMs, true), replays: lane.replayCheckpoints() };
      for (const item of items) item.committed();
      await this.turn();
      return rows;
    },
    sent,
    flushed,
    reads,
    eventReads,
    refills,
    lists,
    transitions,
    died,
    disabled,
    wakes,
    /** The events of retries are there. */
    resolveEvents(): void {
      for (const { position, resolve } of eventReads.splice(0)) resolve(anEvent(position));
    },
    /** Retention drops an event. */
    expire: (position: number) => expired.add(position),
    offer(position: number): void {
      routed = { position, day: DAY };
      lane.offer(eventAt(position));
    },
    route(position: number): void {
      routed = { position, day: DAY };
    },
    get isReady(): boolean {
      return ready.has(lane);
    },
    /** Takes turns until none is asked for, and lets what was resolved go on. */
    async turn(): Promise<void> {
      for (let n = 0; n < 10; n++) await null;
      while (ready.delete(lane)) {
        lane.isReady = false;
        if (lane.pump(16)) lane.wake();
        for (let n = 0; n < 10; n++) await null;
      }
    },
    /** Takes the oldest items into a flush and commits it. */
    commit(count = flushed.length): void {
      const items = flushed.splice(0, count);
      for (const item of items) item.taken?.();
      for (const item of items) item.committed();
    },
  };
}
