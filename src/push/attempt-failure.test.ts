import { describe, expect, test } from 'vitest';
import { anEndpoint, NOW_MS } from '../../test/lane-alone.ts';
import type { EndpointConfig } from '../core/endpoint.ts';
import { decideFailure, type FailedRequest } from './attempt-failure.ts';

const aFailure = ({ settings, ...more }: Partial<FailedRequest> & { settings?: Partial<EndpointConfig> }) => ({
  config: anEndpoint({ settings: { retryDelaysSeconds: [10, 100], ...settings } }).config,
  isOrdered: false,
  outcome: 'rejected' as const,
  reason: 'status_4xx' as const,
  retryAfterMs: null,
  breakerOpen: false,
  nowMs: NOW_MS,
  random: 0.5,
  half: null,
  ...more,
});

describe('a failed attempt', () => {
  test('is decided by the schedule', () => {
    expect(decideFailure(aFailure({}), 0)).toEqual({ kind: 'retry', atMs: NOW_MS + 10_000, consumed: 1 });
    expect(decideFailure(aFailure({}), 2)).toMatchObject({ kind: 'dead' });
  });

  test('for which no request was made is dead at once, whatever the schedule', () => {
    const failure = aFailure({ reason: 'format_failed' });
    expect(decideFailure(failure, 0)).toEqual({ kind: 'dead', consumed: 0 });
    expect(decideFailure({ ...failure, half: 2 }, 0)).toMatchObject({ kind: 'retry', batchLimit: 2 });
  });

  test.each(['transform_error', 'transform_timeout', 'transform_memory'] as const)(
    'with %s is dead at once',
    (reason) => {
      expect(decideFailure(aFailure({ reason }), 0)).toEqual({ kind: 'dead', consumed: 0 });
    },
  );

  test('whose transformation could not be run is made again soon, and uses up nothing', () => {
    const failure = aFailure({ reason: 'transform_unavailable', outcome: 'unreachable' });
    const again = { kind: 'retry', atMs: NOW_MS + 5000, consumed: 2 };
    expect(decideFailure(failure, 2)).toEqual(again);
    expect(decideFailure({ ...failure, half: 3, isOrdered: true }, 2)).toEqual(again);
  });

  test('of a batch uses up nothing, however often, and is sent in parts', () => {
    const part = { kind: 'retry', atMs: NOW_MS + 10_000, consumed: 2, batchLimit: 3 };
    for (const outcome of ['rejected', 'unreachable'] as const) {
      for (const isOrdered of [false, true]) {
        expect(decideFailure(aFailure({ half: 3, outcome, isOrdered }), 2)).toEqual(part);
      }
    }
  });

  test('of a batch waits no longer for its parts than a minute, unless the endpoint asks for it', () => {
    const settings = { retryDelaysSeconds: [3600] };
    expect(decideFailure(aFailure({ half: 1, settings }), 0)).toMatchObject({ atMs: NOW_MS + 60_000 });
    const asked = aFailure({ half: 1, settings, retryAfterMs: 90_000 });
    expect(decideFailure(asked, 0)).toMatchObject({ atMs: NOW_MS + 90_000 });
    expect(decideFailure(aFailure({ half: 1, settings: { retryDelaysSeconds: [] } }), 0)).toMatchObject({
      kind: 'retry',
      atMs: NOW_MS + 5000,
    });
  });

  test('of a batch that was throttled stays whole', () => {
    const decision = decideFailure(aFailure({ half: 3, outcome: 'throttled', retryAfterMs: 7000 }), 1);
    expect(decision).toMatchObject({ kind: 'retry', consumed: 1 });
    expect(decision.batchLimit).toBeUndefined();
  });

  test('under strict order uses up nothing while the endpoint cannot be reached', () => {
    const unreachable = aFailure({ isOrdered: true, outcome: 'unreachable' });
    expect(decideFailure(unreachable, 1)).toMatchObject({ kind: 'retry', consumed: 1 });
    expect(decideFailure(unreachable, 2)).toMatchObject({ kind: 'retry', consumed: 2 });
    expect(decideFailure({ ...unreachable, isOrdered: false }, 2)).toMatchObject({ kind: 'dead' });
  });

  test('that is the last ends an event, or holds up a strict lane that asks for it, tried within an hour', () => {
    const block = (retryDelaysSeconds: number[]) =>
      decideFailure(aFailure({ isOrdered: true, settings: { onExhausted: 'block', retryDelaysSeconds } }), 9);
    expect(decideFailure(aFailure({ isOrdered: true }), 2)).toMatchObject({ kind: 'dead' });
    expect(block([])).toEqual({ kind: 'retry', atMs: NOW_MS + 60_000, consumed: 9 });
    expect(block([600])).toEqual({ kind: 'retry', atMs: NOW_MS + 600_000, consumed: 9 });
    expect(block([86_400])).toEqual({ kind: 'retry', atMs: NOW_MS + 3_600_000, consumed: 9 });
    const ofReplay = aFailure({ isOrdered: false, settings: { onExhausted: 'block', order: 'strict' } });
    expect(decideFailure(ofReplay, 2)).toMatchObject({ kind: 'dead' });
  });
});
