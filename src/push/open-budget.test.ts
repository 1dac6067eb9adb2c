import { describe, expect, test } from 'vitest';
import { anEvent } from '../../test/lane-alone.ts';
import type { LogEvent } from '../core/event.ts';
import { OpenBudget } from './open-budget.ts';

const aRequest = (events: LogEvent[] = [anEvent(1)], isSuspect = false) => ({ events, isSuspect });

describe('open budget', () => {
  test('has room for so many requests, batches counting once', () => {
    const budget = new OpenBudget({ maxRequests: 3, maxBytes: 1000 });
    const batch = aRequest([anEvent(1), anEvent(2)]);
    budget.open(batch);
    budget.open(aRequest());
    expect(budget.room(false)).toBe(1);
    budget.open(aRequest());
    expect(budget.room(false)).toBe(0);
    budget.close(batch);
    expect(budget.room(false)).toBe(1);
    expect(budget.requests).toBe(2);
  });

  test('has room for so many bytes', () => {
    const budget = new OpenBudget({ maxRequests: 100, maxBytes: 1000 });
    const large = aRequest([anEvent(1, 999)]);
    budget.open(large);
    expect(budget.room(false)).toBe(99);
    budget.open(aRequest([anEvent(2, 1)]));
    expect(budget.room(false)).toBe(0);
    budget.close(large);
    expect(budget.room(false)).toBe(99);
  });

  test('counts a body once that several lanes send', () => {
    const budget = new OpenBudget({ maxRequests: 100, maxBytes: 10_000 });
    const event = anEvent(1, 6000);
    const requests = Array.from({ length: 10 }, () => aRequest([event]));
    for (const request of requests) budget.open(request);
    expect(budget.room(false)).toBe(90);
    for (const request of requests.slice(1)) budget.close(request);
    budget.open(aRequest([anEvent(2, 6000)]));
    expect(budget.room(false)).toBe(0); // the first still holds its own
    budget.close(requests[0]);
    expect(budget.room(false)).toBe(99);
  });

  test('leaves suspects a quarter of the requests, and of the bytes', () => {
    const budget = new OpenBudget({ maxRequests: 8, maxBytes: 10_000 });
    const suspects = [aRequest([anEvent(1)], true), aRequest([anEvent(2, 2500)], true)];
    budget.open(suspects[0]);
    expect(budget.room(true)).toBe(1);
    budget.open(suspects[1]);
    expect(budget.room(true)).toBe(0);
    expect(budget.room(false)).toBe(6);
    budget.close(suspects[0]);
    expect(budget.room(true)).toBe(0); // by their bytes
    budget.close(suspects[1]);
    expect(budget.room(true)).toBe(2);
  });

  test('gives suspects no more than is left', () => {
    const budget = new OpenBudget({ maxRequests: 8, maxBytes: 10_000 });
    for (let n = 0; n < 7; n++) budget.open(aRequest());
    expect(budget.room(true)).toBe(1);
  });
});
