// The pool with its real threads, which are the built ones.
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { buildOnce } from '../../test/build.ts';
import { until } from '../../test/until.ts';
import type { Verdict } from '../core/transformation.ts';
import { TransformPool, type TransformPoolOptions } from './transform-pool.ts';

beforeAll(() => buildOnce(), 120_000);

const pools: TransformPool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.stop()));
});

const anEvent = (data: unknown = {}, id = 'evt_1') => ({
  id,
  type: 'a.b',
  timeMs: 1_795_000_000_000,
  channels: ['one'],
  data: Buffer.from(JSON.stringify(data)),
});

function setup(options: Partial<TransformPoolOptions> = {}) {
  const errors: unknown[] = [];
  const pool = new TransformPool({
    options,
    onError: (error) => errors.push(error),
  });
  pools.push(pool);
  const run = (code: string, data: unknown = {}, appId = 'app_1'): Promise<Verdict> =>
    pool.run({ appId, code: `export default (event) => { ${code} }`, event: anEvent(data) });
  return {
    pool,
    errors,
    run,
    /** Resolves when there is room for the app, at once or when the pool says so. */
    room: (appId: string) =>
      new Promise<void>((wake) => {
        if (pool.hasRoom(appId, { wake })) wake();
      }),
    isFull: (appId: string) => !pool.hasRoom(appId, null),
    /** The data that comes out. */
    async data(code: string, data?: unknown, appId?: string): Promise<unknown> {
      const verdict = await run(code, data, appId);
      if (verdict.kind !== 'sent') throw new Error(JSON.stringify(verdict));
      return JSON.parse(verdict.data.toString());
    },
  };
}

const BOMBS: [string, string][] = [
  ['an endless loop', 'while (true);'],
  ['a loop that catches', 'while (true) { try { while (true); } catch {} }'],
  ['strings of a megabyte in a loop', 'const a = []; while (true) a.push("x".repeat(1 << 20));'],
  ['strings that differ', 'const a = []; const s = "x".repeat(1 << 20); while (true) a.push(s + a.length);'],
  ['a joined array of a thousand million', 'return { data: new Array(1e9) + "" };'],
  ['the same, caught', 'try { new Array(1e9) + ""; } catch {} while (true);'],
  ['a search through what is not there', 'return { data: Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1) };'],
  ['a copy of what is not there', 'return { data: Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 0, 1) };'],
  ['a big power', 'let a = 3n ** 200000n; while (true) a = a * a;'],
  ['a regular expression', 'return { data: /^(a+)+$/.test("a".repeat(40) + "!") };'],
  ['a search in a long text', 'const s = "a".repeat(5e6); return { data: s.indexOf("a".repeat(2e6) + "b") };'],
  ['a huge answer', 'let a = [1]; for (let i = 0; i < 40; i++) a = [a, a]; return { data: a };'],
  ['a proxy that never answers', 'return new Proxy({}, { get() { while (true); } });'],
  ['a getter that never answers', 'return { data: { toJSON() { while (true); } } };'],
  ['promises without end', 'const again = () => Promise.resolve().then(again); again(); return null;'],
  ['a promise that never settles', 'return new Promise(() => {});'],
  ['a generator without end', 'function* g() { while (true) yield 1; } return { data: [...g()] };'],
  ['a recursion', 'const f = () => f() + 1; return { data: f() };'],
  ['a polluted prototype', 'Object.prototype.toJSON = () => { while (true); }; return event;'],
];

describe('transform pool', () => {
  test('runs a transformation of an event', async () => {
    const { data, run } = setup();
    const code =
      'return { data: { id: event.id, type: event.type, time: event.time, channels: event.channels, n: event.data.n + 1 } };';
    expect(await data(code, { n: 1 })).toEqual({
      id: 'evt_1',
      type: 'a.b',
      time: '2026-11-18T11:06:40.000Z',
      channels: ['one'],
      n: 2,
    });
    expect(await run('console.log("why"); return null;')).toEqual({ kind: 'filtered', reason: 'why' });
    expect(await run('\nthrow new Error("no");')).toMatchObject({
      kind: 'failed',
      reason: 'transform_error',
      error: { message: 'Error: no', line: 2 },
    });
  });

  test('has a clock that stands at the time of the event, in UTC', async () => {
    const { data } = setup();
    const code = `
      const began = Date.now();
      for (let i = 0; i < 1e5; i++);
      return { data: [began, Date.now(), new Date().getTimezoneOffset(), new Date(2026, 0, 1).toISOString(), new Date().getHours()] };`;
    const timeMs = 1_795_000_000_000;
    expect(await data(code)).toEqual([timeMs, timeMs, 0, '2026-01-01T00:00:00.000Z', 11]);
  });

  test('answers the same for the same event, and not the same random numbers for another', async () => {
    const { pool } = setup();
    const code = 'export default () => ({ data: Math.random() })';
    const dataOf = async (id: string) => {
      const verdict = await pool.run({ appId: 'app_1', code, event: anEvent({}, id) });
      return verdict.kind === 'sent' ? verdict.data.toString() : '';
    };
    expect(await dataOf('evt_1')).toBe(await dataOf('evt_1'));
    expect(await dataOf('evt_2')).not.toBe(await dataOf('evt_1'));
  });

  test('runs many at once, in order, and gives each its own answer', async () => {
    const { pool } = setup({ appShare: 100 });
    const order: number[] = [];
    const verdicts = await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const appId = `app_${n % 5}`;
        const verdict = await pool.run({
          appId,
          code: `export default (event) => ({ data: [event.data.n, "${appId}"] })`,
          event: anEvent({ n }),
        });
        if (n % 5 === 0) order.push(n);
        return verdict.kind === 'sent' ? verdict.data.toString() : verdict;
      }),
    );
    expect(verdicts).toEqual(Array.from({ length: 200 }, (_, n) => `[${n},"app_${n % 5}"]`));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  test('keeps apps apart, even with the same code', async () => {
    const { data } = setup({ threads: 1 });
    const code = `
      globalThis.seen = [...(globalThis.seen ?? []), event.data];
      Object.prototype.stain = event.data;
      String.prototype.trim = () => event.data;
      const found = [];
      for (const name of Object.getOwnPropertyNames(globalThis)) if (globalThis[name] === 'secret of one') found.push(name);
      return { data: { seen, found, stain: ({}).stain, trim: ''.trim() } };`;
    for (let n = 0; n < 3; n++) {
      expect(await data(code, 'secret of one', 'app_1')).toMatchObject({ seen: ['secret of one'] });
      expect(await data(code, 'two', 'app_2')).toEqual({ seen: ['two'], found: [], stain: 'two', trim: 'two' });
    }
  });

  test("does not let an app look at what another one's events left in memory", async () => {
    const { data, run } = setup({ threads: 1 });
    await run('globalThis.x = ("SECRET" + event.id).repeat(1e5); return null;', {}, 'app_1');
    const look = `
      const found = [];
      for (let n = 0; n < 50; n++) {
        const bytes = new Uint8Array(n * 4000);
        if (bytes.indexOf(83) >= 0) found.push(n);
      }
      return { data: found };`;
    expect(await data(look, {}, 'app_2')).toEqual([]);
    expect(await data(look, {}, 'app_1')).toEqual([]);
  });

  test.each(BOMBS)('ends %s', async (_, code) => {
    const { pool, run, data, errors } = setup();
    expect(await data('return { data: 1 };', {}, 'app_2')).toBe(1); // the threads run
    const startedMs = performance.now();
    const cpuBefore = process.cpuUsage();
    const bomb = run(code);
    const verdict = await bomb;
    const tookMs = Math.min(performance.now() - startedMs, cpuMs(cpuBefore));
    expect(verdict.kind).toBe('failed');
    expect(tookMs).toBeLessThan(200);
    expect(errors).toEqual([]);
    expect(await data('return { data: 2 };', {}, 'app_2')).toBe(2);
    expect(await data('return { data: 3 };')).toBe(3);
    expect(pool.threadCount).toBeLessThanOrEqual(2);
  });

  test('blames a code that loops when it is loaded', async () => {
    const { pool } = setup();
    const verdict = await pool.run({ appId: 'app_1', code: 'while (true);', event: anEvent() });
    expect(verdict).toMatchObject({ kind: 'failed', reason: 'transform_timeout' });
  });

  test('does not slow down other apps for one that only burns', async () => {
    const { pool, run } = setup();
    await run('return event;', {}, 'app_good');
    let burning = true;
    const burn = async (): Promise<void> => {
      while (burning) await run('while (true) new Array(1e9) + "";', {}, 'app_bad');
    };
    const fires = [burn(), burn(), burn(), burn()];
    await until(() => pool.waitingCount > 0);
    const waits: number[] = [];
    for (let n = 0; n < 100; n++) {
      const startedMs = performance.now();
      expect(await run('return event;', { n }, 'app_good')).toMatchObject({ kind: 'sent' });
      waits.push(performance.now() - startedMs);
    }
    burning = false;
    await pool.stop();
    await Promise.all(fires);
    expect(waits.toSorted((a, b) => a - b)[50]).toBeLessThan(20);
  });

  test('bounds what an app may use, and tells when there is room again', async () => {
    const { run, room, isFull } = setup({ appShare: 0.2 });
    const spend = (appId: string) => run('for (let i = 0; i < 2e5; i++) Math.sqrt(i); return event;', {}, appId);
    while (!isFull('app_1')) await spend('app_1');
    expect(isFull('app_2')).toBe(false);
    const late = spend('app_1');
    expect(await run('return event;', {}, 'app_2')).toMatchObject({ kind: 'sent' });
    await room('app_1');
    expect(await late).toMatchObject({ kind: 'sent' });
  });

  test('counts what short runs take of the processor', async () => {
    const { pool, run } = setup({ threads: 1, appShare: 100 });
    await run('return event;');
    const before = process.cpuUsage();
    const counted = pool.cpuSeconds;
    for (let n = 0; n < 50; n++) {
      await Promise.all(Array.from({ length: 8 }, () => run('for (let i = 0; i < 3e3; i++); return event;')));
    }
    expect((pool.cpuSeconds - counted) * 1000).toBeGreaterThan(0.2 * cpuMs(before));
  });

  test('has room for so many of an app, and says when again', async () => {
    const { run, room, isFull } = setup({ appShare: 100 });
    const runs = Array.from({ length: 200 }, (_, n) => run(`return { data: ${n % 3} };`));
    expect(isFull('app_1')).toBe(true);
    expect(isFull('app_2')).toBe(false);
    await room('app_1');
    await Promise.all(runs);
  });

  test('starts no thread before there is something to run', async () => {
    const { pool, run } = setup();
    await pool.start();
    expect(pool.threadCount).toBe(0);
    await run('return event;');
    expect(pool.threadCount).toBe(1);
  });

  test('is stopped with runs under way, and can be started again', async () => {
    const { pool, run } = setup();
    const runs = Array.from({ length: 40 }, () => run('while (true);'));
    await pool.stop();
    expect(new Set((await Promise.all(runs)).map(({ kind }) => kind))).toEqual(new Set(['unavailable']));
    expect(await run('return event;')).toMatchObject({ kind: 'unavailable' });
    await pool.start();
    expect(await run('return event;')).toMatchObject({ kind: 'sent' });
  });

  test('says that it is unavailable where no thread starts', async () => {
    const errors: unknown[] = [];
    const pool = new TransformPool({
      onError: (error) => errors.push(error),
      program: new URL('./missing.js', import.meta.url),
    });
    pools.push(pool);
    const verdict = await pool.run({ appId: 'app_1', code: 'export default () => null', event: anEvent() });
    expect(verdict).toMatchObject({ kind: 'unavailable', message: expect.stringMatching(/missing\.js/) });
    expect(errors.length).toBeGreaterThan(0);
  });
});

function cpuMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
