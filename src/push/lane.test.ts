// A lane alone, with its host in the test's hands: what is read, sent and flushed ends when the test says so.

import { describe, expect, test } from 'vitest';
import { ENDPOINT_DEFAULTS } from '../core/endpoint.ts';
import type { LogEvent } from '../core/event.ts';
import { IdGenerator } from '../core/id.ts';
import type { SendResult } from '../core/outcome.ts';
import { parseSecret } from '../core/signature.ts';
import type { LogPlace } from '../log/event-cache.ts';
import type { StoredRetry } from '../storage/retries.ts';
import type { FlushItem } from './flusher.ts';
import { Lane, type LaneHost, MAX_SPAN_POSITIONS } from './lane.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';
import type { OpenAttempt } from './open-attempt.ts';

const DAY = '2026-11-21';
const KEY = { appUuid: '0197a000-0000-7000-8000-000000000001', endpointUuid: '0197a000-0000-7000-8000-000000000002' };

const anEvent = (position: number): LogEvent => ({
  appId: 'app_1',
  position,
  day: DAY,
  id: `evt_${position}`,
  type: 'a',
  timeMs: 0,
  appendedMs: 0,
  channels: [],
  configVersion: 1,
  data: Buffer.from('{}'),
});

const aRetry = (position: number): StoredRetry => ({
  position,
  day: DAY,
  eventId: `evt_${position}`,
  attempts: 1,
  consumed: 1,
  dueMs: 0,
});

function anEndpoint(overrides: Partial<LoadedEndpoint> = {}): LoadedEndpoint {
  return {
    id: 'ep_1',
    config: {
      ...ENDPOINT_DEFAULTS,
      url: 'https://example.com/',
      maxConcurrency: 8,
      timeoutMs: 1000,
      disableAfterSeconds: 3600,
    },
    configVersion: 1,
    paused: false,
    disabled: false,
    skipThrough: 0,
    target: null as never,
    keys: () => [parseSecret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')],
    matches: () => true,
    exactTypes: null,
    ...overrides,
  };
}

const DELIVERED: SendResult = {
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

interface Waiting<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

/** A lane whose turns, reads, answers and flushes are taken by hand. */
function setup(stored: {
  settledThrough: number;
  settledBeyond?: Set<number>;
  retries?: { total: number; next: StoredRetry[] };
}) {
  const ids = new IdGenerator({ now: () => 1_800_000_000_000, randomBytes: (size) => Buffer.alloc(size) });
  let routed: LogPlace = { position: stored.settledThrough, day: DAY };
  const state = { nowMs: 1_800_000_000_000, maySend: true };
  const ready = new Set<Lane>();
  const wakes: number[] = [];
  const sent: { attempt: OpenAttempt; answer: (result: SendResult) => void }[] = [];
  const flushed: FlushItem[] = [];
  const reads: Waiting<LogEvent[]>[] = [];
  const eventReads: Waiting<LogEvent | null>[] = [];
  const refills: Waiting<StoredRetry[]>[] = [];
  const waitIn = <T>(list: Waiting<T>[]) => new Promise<T>((resolve, reject) => list.push({ resolve, reject }));
  const host: LaneHost = {
    now: () => state.nowMs,
    random: () => 0.5,
    newAttempt: () => ({ attemptUuid: ids.uuid(), day: DAY, startedMs: state.nowMs }),
    maySend: () => state.maySend,
    countOpen: () => {},
    send: (attempt, done) => sent.push({ attempt, answer: done }),
    flush: (item) => flushed.push(item),
    checkpointSoon: () => {},
    ready: (lane) => ready.add(lane),
    wakeAt: (_, atMs) => wakes.push(atMs),
    readAt: () => waitIn(eventReads),
    moreRetries: () => waitIn(refills),
    breakerChanged: () => {},
    disable: () => {},
    died: () => {},
    failed: () => {},
    read: () => waitIn(reads),
    routed: () => routed,
  };
  const lane = new Lane({
    host,
    appId: 'app_1',
    key: KEY,
    endpoint: anEndpoint(),
    stored: {
      endpointId: 'ep_1',
      settledThrough: stored.settledThrough,
      settledDay: DAY,
      lowAttemptUuid: null,
      breaker: { state: 'closed', openSinceMs: null, nextProbeMs: null },
    },
    settledBeyond: stored.settledBeyond,
    retries: stored.retries,
  });
  return {
    lane,
    state,
    sent,
    flushed,
    reads,
    eventReads,
    refills,
    wakes,
    offer(position: number): void {
      routed = { position, day: DAY };
      lane.offer(anEvent(position));
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

describe('lane', () => {
  test('goes on where it was told to skip to while a read of the log was under way', async () => {
    const at = setup({ settledThrough: 0 });
    at.route(300);
    at.lane.wake();
    await at.turn();
    expect(at.reads).toHaveLength(1);
    at.lane.reconfigure(anEndpoint({ configVersion: 2, skipThrough: 200 }));
    await at.turn();
    at.reads[0].resolve([anEvent(1)]);
    await at.turn();
    expect(at.reads).toHaveLength(2);
    at.reads[1].resolve(Array.from({ length: 100 }, (_, i) => anEvent(201 + i)));
    await at.turn();
    expect(at.sent[0].attempt.event.position).toBe(201);
  });

  test('goes on when it was paused and resumed while a read of the log was under way', async () => {
    const at = setup({ settledThrough: 0 });
    at.route(600);
    at.lane.wake();
    await at.turn();
    at.reads[0].resolve(Array.from({ length: 255 }, (_, i) => anEvent(1 + i)));
    await at.turn();
    expect(at.reads).toHaveLength(2);
    at.lane.reconfigure(anEndpoint({ configVersion: 2, paused: true }));
    at.lane.reconfigure(anEndpoint({ configVersion: 3 }));
    for (const { answer } of at.sent) answer(DELIVERED);
    await at.turn();
    at.commit();
    await at.turn();
    at.reads[1].resolve([anEvent(256)]);
    await at.turn();
    expect(at.reads).toHaveLength(3);
  });

  test('does not send again what its last owner has settled, when those events are handed over late', async () => {
    const at = setup({ settledThrough: 5, settledBeyond: new Set([7]) });
    at.lane.wake();
    await at.turn();
    for (const position of [6, 7, 8]) at.offer(position);
    await at.turn();
    expect(at.sent.map(({ attempt }) => attempt.event.position)).toEqual([6, 8]);
  });

  test('does not send a retry when the lease has run out while its event was read', async () => {
    const at = setup({ settledThrough: 10, retries: { total: 1, next: [aRetry(5)] } });
    at.lane.wake();
    await at.turn();
    expect(at.eventReads).toHaveLength(1);
    at.state.maySend = false;
    at.eventReads[0].resolve(anEvent(5));
    await at.turn();
    expect(at.sent).toHaveLength(0);
    at.state.maySend = true;
    at.lane.wake();
    await at.turn();
    at.eventReads[1].resolve(anEvent(5));
    await at.turn();
    expect(at.sent).toHaveLength(1);
  });

  test('asks for a turn later when its retries could not be read', async () => {
    const at = setup({ settledThrough: 10, retries: { total: 300, next: [] } });
    at.lane.wake();
    await at.turn();
    at.refills[0].reject(new Error('the database is gone'));
    await at.turn();
    expect(at.wakes).toContain(at.state.nowMs + 1000);
  });

  test('an event whose outcome waits for its flush is not parked when the span is full', async () => {
    const at = setup({ settledThrough: 0 });
    at.lane.wake();
    await at.turn();
    at.offer(1);
    await at.turn();
    expect(at.sent).toHaveLength(1);
    at.offer(MAX_SPAN_POSITIONS + 2);
    at.sent[0].answer(DELIVERED);
    await at.turn();
    expect(at.flushed.filter((item) => item.retry !== null)).toEqual([]);
    at.commit();
    await at.turn();
    expect(at.sent).toHaveLength(2);
    expect(at.lane.retryCount).toBe(0);
  });

  test('an event that is still open when the span is full is parked, and its retry closed when it is delivered', async () => {
    const at = setup({ settledThrough: 0 });
    at.lane.wake();
    await at.turn();
    at.offer(1);
    await at.turn();
    at.offer(MAX_SPAN_POSITIONS + 2);
    await at.turn();
    expect(at.flushed.map((item) => item.retry?.reason)).toEqual(['open']);
    at.commit();
    await at.turn();
    expect(at.sent).toHaveLength(2);
    expect(at.lane.settled.position).toBe(MAX_SPAN_POSITIONS + 1);
    at.sent[0].answer(DELIVERED);
    expect(at.flushed[0].closedRetry?.position).toBe(1);
    at.commit();
    expect(at.lane.retryCount).toBe(0);
  });
});
