import { describe, expect, test } from 'vitest';
import { EVENT_ID_PATTERN } from './event.ts';
import { operationalEvent } from './operational-event.ts';

const OCCURRENCE = {
  type: 'endpoint.lagging',
  appId: 'app_a',
  endpointId: 'ep_a',
  which: '2026-11-21',
  atMs: 7,
  data: { n: 1 },
};

describe('operational event', () => {
  test('says which app and endpoint it is about', () => {
    const event = operationalEvent(OCCURRENCE);
    expect(event).toMatchObject({ type: 'endpoint.lagging', timeMs: 7, timeGiven: true, ownId: true });
    expect(JSON.parse(event.data.toString())).toEqual({ app: 'app_a', endpoint: 'ep_a', n: 1 });
    expect(event.id).toMatch(EVENT_ID_PATTERN);
  });

  test('says which consumer it is about, of which app', () => {
    const { endpointId: _, ...rest } = OCCURRENCE;
    const event = operationalEvent({ ...rest, consumer: 'billing' });
    expect(JSON.parse(event.data.toString())).toEqual({ app: 'app_a', consumer: 'billing', n: 1 });
    expect(operationalEvent({ ...rest, consumer: 'billing', appId: 'app_b' }).id).not.toBe(event.id);
    expect(operationalEvent({ ...rest, consumer: 'other' }).id).not.toBe(event.id);
  });

  test('has an id made of what happened, not of when it is told', () => {
    const { id } = operationalEvent(OCCURRENCE);
    expect(operationalEvent({ ...OCCURRENCE, atMs: 8, data: {} }).id).toBe(id);
    for (const other of [{ type: 'endpoint.expired' }, { endpointId: 'ep_b' }, { which: '2026-11-22' }]) {
      expect(operationalEvent({ ...OCCURRENCE, ...other }).id).not.toBe(id);
    }
  });
});
