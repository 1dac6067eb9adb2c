import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { anEndpointConfig } from '../../test/stored-app.ts';
import { type FailingAlert, FailingAlerts, type LaneHealth } from './failing-alerts.ts';
import { type LoadedEndpoint, loadEndpoint } from './loaded-endpoint.ts';

const T0 = 1_700_000_000_000;
let alerts: FailingAlerts;
beforeEach(() => {
  vi.useFakeTimers({ now: T0 });
});
afterEach(() => {
  alerts.stop();
  vi.useRealTimers();
});

function anEndpoint(): LoadedEndpoint {
  const stored = {
    appId: 'app_1',
    id: 'ep_1',
    uid: null,
    config: anEndpointConfig(),
    configVersion: 1,
    pausedAt: null,
    disabledAt: null,
    disabledReason: null,
    skipThrough: 0,
    createdAt: new Date(0),
    updatedAt: new Date(0),
    versions: [],
    pulledThrough: 0,
  };
  return loadEndpoint(stored, [], { allowHttp: false, allowPrivate: [] });
}

function setup() {
  const told: FailingAlert[] = [];
  const lane: { health: LaneHealth | null } = { health: 'open' };
  alerts = new FailingAlerts({
    afterMs: 60_000,
    now: Date.now,
    healthOf: () => lane.health,
    tell: (alert) => told.push(alert),
  });
  const endpoint = anEndpoint();
  return { told, lane, endpoint, types: () => told.map(({ type }) => type) };
}

describe('failing alerts', () => {
  test('tell nothing of a blip', () => {
    const { told, endpoint } = setup();
    alerts.opened('app_1', endpoint, T0);
    vi.advanceTimersByTime(50_000);
    alerts.closed(endpoint.id);
    vi.advanceTimersByTime(120_000);
    expect(told).toEqual([]);
  });

  test('tell of an endpoint that stays down once, and then that it has recovered', () => {
    const { told, endpoint } = setup();
    alerts.opened('app_1', endpoint, T0);
    vi.advanceTimersByTime(600_000);
    const { url } = endpoint.config;
    const failing = {
      type: 'endpoint.failing',
      appId: 'app_1',
      endpointId: 'ep_1',
      url,
      sinceMs: T0,
      atMs: T0 + 60_000,
    };
    expect(told).toEqual([failing]);
    alerts.closed(endpoint.id);
    expect(told).toEqual([failing, { ...failing, type: 'endpoint.recovered', atMs: T0 + 600_000 }]);
    alerts.closed(endpoint.id);
    expect(told).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(5000);
    expect(vi.getTimerCount()).toBe(0); // nobody fails, nothing is looked after
  });

  test('of two owners of one outage are the same', () => {
    const { told, endpoint } = setup();
    alerts.opened('app_1', endpoint, T0 + 0.4);
    vi.advanceTimersByTime(65_000);
    alerts.opened('app_1', endpoint, T0 + 0.2); // as it is read from the table
    expect(told).toHaveLength(2);
    expect(told[0]).toEqual(told[1]);
  });

  test('are not repeated for an outage that is old when the lane comes here', () => {
    const { types, endpoint } = setup();
    alerts.opened('app_1', endpoint, T0 - 7_200_000);
    vi.advanceTimersByTime(60_000);
    expect(types()).toEqual([]);
    alerts.closed(endpoint.id);
    expect(types()).toEqual(['endpoint.recovered']);
  });

  test('end when the lane has gone to another process, or was disabled', () => {
    const { told, lane, endpoint } = setup();
    alerts.opened('app_1', endpoint, T0);
    lane.health = null;
    vi.advanceTimersByTime(120_000);
    lane.health = 'open';
    alerts.opened('app_1', endpoint, T0 + 120_000);
    alerts.forget(endpoint.id);
    vi.advanceTimersByTime(120_000);
    expect(told).toEqual([]);
  });

  test('tell of a recovery when the endpoint was changed and works', () => {
    const { types, lane, endpoint } = setup();
    alerts.opened('app_1', endpoint, T0);
    vi.advanceTimersByTime(70_000);
    lane.health = 'unknown'; // changed, and nothing was sent since
    vi.advanceTimersByTime(70_000);
    expect(types()).toEqual(['endpoint.failing']);
    lane.health = 'well';
    vi.advanceTimersByTime(70_000);
    expect(types()).toEqual(['endpoint.failing', 'endpoint.recovered']);
  });

  test('tell in order when the end comes before the look', () => {
    const { types, endpoint } = setup();
    alerts.opened('app_1', endpoint, T0);
    vi.setSystemTime(T0 + 61_000);
    alerts.closed(endpoint.id);
    expect(types()).toEqual(['endpoint.failing', 'endpoint.recovered']);
  });
});
