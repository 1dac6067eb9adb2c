import { describe, expect, test } from 'vitest';
import { comparedKinds } from './compared-kind.ts';
import { measure, type Observation, percentile } from './measurement.ts';

const KINDS = comparedKinds([5]);

function anObservation(kind: string, options: Partial<Observation> = {}): Observation {
  return {
    kind: KINDS.find(({ name }) => name === kind)!,
    perSecond: 1,
    steadyMs: 30_000,
    published: [
      { id: 'a', atMs: 1000 },
      { id: 'b', atMs: 2000 },
    ],
    traffic: {
      requests: 6,
      emptyAnswers: 4,
      bytesToConsumer: 3000,
      bytesFromConsumer: 500,
      connectionsOpened: 1,
      openConnections: 1,
    },
    serverCpuMicros: 4000,
    publishedInOutage: [
      { id: 'c', atMs: 5000 },
      { id: 'd', atMs: 6000 },
    ],
    backAtMs: 8000,
    arrivals: [
      { id: 'a', atMs: 1010 },
      { id: 'b', atMs: 2030 },
      { id: 'c', atMs: 8040 },
      { id: 'd', atMs: 8050 },
    ],
    ...options,
  };
}

describe('percentile', () => {
  test('is the nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect([0.5, 0.99, 1].map((share) => percentile(hundred, share))).toEqual([50, 99, 100]);
    expect(percentile([7], 0.5)).toBe(7);
    expect(percentile([], 0.5)).toBeNull();
  });
});

describe('measurement', () => {
  test('is of the time before the outage, for each minute and each event', () => {
    expect(measure(anObservation('poll-5s'))).toEqual({
      kind: 'poll-5s',
      label: 'poll every 5 s',
      perSecond: 1,
      events: 2,
      seconds: 30,
      requestsPerMinute: 12,
      emptyAnswersPerMinute: 8,
      bytesToConsumerPerEvent: 1500,
      bytesFromConsumerPerEvent: 250,
      serverCpuMicrosPerEvent: 2000,
      delayMs: { p50: 10, p99: 30 },
      openConnections: 1,
      connectionsOpened: 1,
      outage: { missed: 2, madeGoodBy: 'its cursor', madeGood: 2, catchUpMs: 50 },
      lost: 0,
      duplicates: 0,
    });
  });

  test('counts what never came and what came twice', () => {
    const arrivals = [
      { id: 'a', atMs: 1010 },
      { id: 'a', atMs: 1900 },
      { id: 'd', atMs: 8050 },
    ];
    const measured = measure(anObservation('webhook', { arrivals }));
    expect(measured).toMatchObject({ lost: 2, duplicates: 1, delayMs: { p50: 10, p99: 10 } });
    expect(measured.outage).toEqual({ missed: 2, madeGoodBy: 'retries and backlog', madeGood: 1, catchUpMs: 50 });
  });

  test('of nobody is the CPU alone', () => {
    const measured = measure(anObservation('nobody', { arrivals: [], publishedInOutage: [] }));
    expect(measured).toMatchObject({ serverCpuMicrosPerEvent: 2000, bytesToConsumerPerEvent: null, lost: 0 });
    expect(measured.delayMs).toEqual({ p50: null, p99: null });
  });

  test('of a workload without an event has nothing for each of them', () => {
    const measured = measure(anObservation('sse', { published: [], publishedInOutage: [], arrivals: [] }));
    expect(measured).toMatchObject({
      events: 0,
      bytesToConsumerPerEvent: null,
      serverCpuMicrosPerEvent: null,
      lost: 0,
    });
  });
});
