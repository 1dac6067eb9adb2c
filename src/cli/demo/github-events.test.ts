import { describe, expect, test } from 'vitest';
import { githubEvents } from './github-events.ts';

describe('github events', () => {
  test('takes every payload equally often, under ids of their own', () => {
    const events = githubEvents(3000);
    expect(events.length).toBeGreaterThanOrEqual(3000);
    const counts = new Map<string, number>();
    for (const { type, dataHash } of events) {
      counts.set(`${type} ${dataHash}`, (counts.get(`${type} ${dataHash}`) ?? 0) + 1);
    }
    const once = new Map<string, number>();
    for (const { type, dataHash } of githubEvents(1)) {
      once.set(`${type} ${dataHash}`, (once.get(`${type} ${dataHash}`) ?? 0) + 1);
    }
    expect(once.size).toBeGreaterThan(250);
    const rounds = events.length / githubEvents(1).length;
    expect(counts).toEqual(new Map([...once].map(([key, count]) => [key, count * rounds])));
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    for (const { id } of events) expect(id).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  });

  test('types are github and the event, spread over the whole', () => {
    const events = githubEvents(1);
    for (const { type, data } of events) {
      expect(type).toMatch(/^github\.[a-z0-9_]+$/);
      expect(typeof JSON.parse(data)).toBe('object');
    }
    const pushes = events.flatMap(({ type }, i) => (type === 'github.push' ? [i] : []));
    expect(pushes.every((at, i) => i === 0 || at - pushes[i - 1] > 5)).toBe(true);
  });
});
