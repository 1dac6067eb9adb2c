import { afterAll, describe, expect, test } from 'vitest';
import type { NewEvent } from '../core/event.ts';
import { encodeOrigin, originalBody, parseOrigin } from '../core/origin.ts';
import type { Verdict } from '../core/transformation.ts';
import { TransformPool } from '../transform/transform-pool.ts';
import { SourceTransforms } from './source-transforms.ts';

const errors: unknown[] = [];
const pool = new TransformPool({ onError: (error) => errors.push(error) });
const transforms = new SourceTransforms(pool);
afterAll(async () => {
  await pool.stop();
  expect(errors).toEqual([]);
});

const EVENT: NewEvent = {
  id: 'evt_1',
  ownId: false,
  type: 'github.push',
  timeMs: 1_795_000_000_000,
  timeGiven: false,
  channels: ['repo:1'],
  data: Buffer.from('{ "n": 1.50 }'),
  origin: encodeOrigin({ contentType: 'application/json', headers: { 'x-github-event': 'push' }, body: 'data' }),
};

const apply = (code: string, event = EVENT) =>
  transforms.apply({ appId: 'app_1', transform: { version: 3, code }, event, maxWaitMs: 1000 });

describe('transforms of sources', () => {
  test('give the event as it was where the code leaves it so', async () => {
    const made = await apply('export default (event) => event');
    expect(made).toEqual({ kind: 'event', event: EVENT });
  });

  test('change type, time, channels and data; the body that was received is then gone', async () => {
    const made = await apply(`export default ({ data, channels, request }) => ({
      type: 'pushed', time: '2026-01-01T00:00:00Z', channels: [...channels, 'new'], data: { twice: data.n * 2, request } })`);
    if (made.kind !== 'event') throw new Error(made.detail);
    const { data, origin, ...rest } = made.event;
    const { data: _, origin: __, ...before } = EVENT;
    const changed = { type: 'pushed', timeMs: Date.UTC(2026, 0), channels: ['repo:1', 'new'] };
    expect(rest).toEqual({ ...before, ...changed });
    expect(JSON.parse(data.toString())).toEqual({
      twice: 3,
      request: { headers: { 'content-type': 'application/json', 'x-github-event': 'push' } },
    });
    expect(data.buffer.byteLength).toBeLessThan(64 * 1024);
    expect(originalBody(data, parseOrigin(origin!))).toBeNull();
  });

  test('keep the body that was received where only the type is another', async () => {
    const made = await apply(`export default (event) => ({ ...event, type: 'pushed' })`);
    expect(made).toEqual({ kind: 'event', event: { ...EVENT, type: 'pushed' } });
  });

  test('show no request of an event that none brought', async () => {
    const { origin: _, ...fetched } = EVENT;
    const made = await apply('export default (event) => ({ data: Object.keys(event) })', fetched);
    if (made.kind !== 'event') throw new Error(made.detail);
    expect(made.event.data.toString()).toBe('["id","type","time","channels","data"]');
    expect(made.event.origin).toBeUndefined();
  });

  test('leave out what the code returns null for, and say why', async () => {
    const made = await apply(`export default () => { console.log('too small'); return null; }`);
    const detail = 'Version 3 of the transformation returned null. too small';
    expect(made).toEqual({ kind: 'filtered', detail });
  });

  test.each([
    [`export default (event) => ({ ...event, channels: ['a b'] })`, 'The `channels` that it returned'],
    [`export default (event) => ({ ...event, channels: 'a' })`, 'The `channels` that it returned'],
    [`export default (event) => ({ ...event, type: 'a b' })`, 'The `type` that it returned'],
    ['export default () => ({ body: 1 })', 'It returned a request, but a source sends nothing.'],
    [
      'export default () => { let data = 1; for (let n = 0; n < 200; n++) data = [data]; return { data }; }',
      "The `data` that it returned cannot be an event's: objects and arrays are nested too deeply",
    ],
    ['export default () => {\n  missing();\n}', 'missing is not defined (line 2, column'],
  ])('fail with %j', async (code, words) => {
    const made = await apply(code);
    expect(made).toMatchObject({ kind: 'failed', reason: 'transform_error', detail: expect.stringContaining(words) });
  });

  test('wait for room, one after the other, and not for ever', async () => {
    let room = 0;
    const waiters = new Set<{ wake(): void }>();
    const sent: Verdict = { kind: 'filtered', reason: '' };
    const narrow = new SourceTransforms({
      hasRoom: (_app, waiter) => {
        if (room > 0) return true;
        if (waiter !== null) waiters.add(waiter);
        return false;
      },
      run: async () => {
        room--;
        return sent;
      },
    });
    const ask = (maxWaitMs: number) =>
      narrow.apply({ appId: 'app_1', transform: { version: 1, code: 'x' }, event: EVENT, maxWaitMs });
    const asked = [ask(60_000), ask(60_000), ask(60_000)];
    expect((await ask(1)).kind).toBe('unavailable');
    for (let n = 0; n < asked.length; n++) {
      room = 1;
      const woken = [...waiters];
      waiters.clear();
      for (const waiter of woken) waiter.wake();
      expect(room).toBe(0);
    }
    expect((await Promise.all(asked)).map(({ kind }) => kind)).toEqual(['filtered', 'filtered', 'filtered']);
  });

  test('do not wait for a run that is not done in time', async () => {
    const slow = new SourceTransforms({ hasRoom: () => true, run: () => new Promise(() => {}) });
    const transform = { version: 1, code: 'x' };
    expect((await slow.apply({ appId: 'app_1', transform, event: EVENT, maxWaitMs: 1 })).kind).toBe('unavailable');
  });

  test('let only so many wait at once', async () => {
    const full = new SourceTransforms({
      hasRoom: () => false,
      run: () => Promise.reject(new Error('There is no room.')),
    });
    const ask = (appId: string, maxWaitMs: number) =>
      full.apply({ appId, transform: { version: 1, code: 'x' }, event: EVENT, maxWaitMs });
    const first = Array.from({ length: 256 }, () => ask('app_1', 50));
    const order: string[] = [];
    await Promise.all([
      Promise.all(first).then(() => order.push('those that wait')),
      ask('app_1', 60_000).then(() => order.push('one too many')),
    ]);
    expect(order).toEqual(['one too many', 'those that wait']);
  });
});
