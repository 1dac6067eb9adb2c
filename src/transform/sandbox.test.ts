import { describe, expect, test } from 'vitest';
import { ENGINE_PROGRAM } from '../../test/engine-program.ts';
import { Sandbox, type SandboxAnswer, type SandboxFailure } from './sandbox.ts';

const EVENT = {
  id: 'evt_1',
  type: 'invoice.paid',
  time: '2026-11-21T10:00:00.000Z',
  channels: [],
  data: { amount: 4200 },
};

async function setup(code: string) {
  let deadlineMs = performance.now() + 2000;
  const made = await Sandbox.create({
    program: ENGINE_PROGRAM,
    code,
    memoryBytes: 32 * 1024 * 1024,
    maxChars: 1024 * 1024,
    isOver: () => performance.now() > deadlineMs,
  });
  return {
    made,
    failure: made as SandboxFailure,
    run(event: unknown = EVENT, { seed = 1, ms = 2000 } = {}): SandboxAnswer {
      deadlineMs = performance.now() + ms;
      const json = typeof event === 'string' ? event : JSON.stringify(event);
      return (made as Sandbox).run(Buffer.from(json), seed);
    },
    /** The data that it returns. */
    data(event: unknown = EVENT, seed = 1): unknown {
      const answer = this.run(event, { seed });
      if (!answer.ok) throw new Error(answer.error.message);
      return JSON.parse(Buffer.from(answer.payload).toString());
    },
    error(event: unknown = EVENT): SandboxFailure {
      const answer = this.run(event);
      if (answer.ok) throw new Error('It did not fail.');
      return answer;
    },
  };
}

const returning = (expression: string) => setup(`export default (event) => ({ data: ${expression} })`);

describe('sandbox', () => {
  test('gives the event to the code and takes what it returns', async () => {
    const box = await setup(
      'export default (event) => ({ ...event, type: "a.b", data: { is: event.type, cents: event.data.amount } })',
    );
    const answer = box.run();
    expect(answer).toMatchObject({ ok: true, head: { kind: 'sent', payload: 'data', type: 'a.b', console: [] } });
    expect(box.data()).toEqual({ is: 'invoice.paid', cents: 4200 });
  });

  test('says so when the data was not touched', async () => {
    const same = await setup('export default (event) => event');
    const text = JSON.stringify(EVENT).replace('4200', '42e2');
    expect(same.run(text)).toMatchObject({ ok: true, head: { payload: 'same' }, payload: new Uint8Array(0) });
    const headers = await setup('export default (event) => ({ ...event, headers: { a: 1 } })');
    expect(headers.run(text)).toMatchObject({ ok: true, head: { payload: 'same', headers: { a: 1 } } });
    const changed = await setup('export default (event) => { event.data.x = 1; return event; }');
    expect(changed.run(text)).toMatchObject({ ok: true, head: { payload: 'data' } });
  });

  test('takes a request, and null with what was written before', async () => {
    const request = await setup(
      'export default () => ({ method: "PUT", path: "/x?y=1", headers: { "x-a": "b" }, body: "text\\u0000" })',
    );
    const answer = request.run();
    expect(answer).toMatchObject({
      ok: true,
      head: { payload: 'text', method: 'PUT', path: '/x?y=1', headers: { 'x-a': 'b' } },
    });
    expect(request.data()).toBe('text\0');
    const filtered = await setup('export default (event) => { console.log("only", { paid: 1 }); return null; }');
    expect(filtered.run()).toMatchObject({ ok: true, head: { kind: 'filtered', console: ['only {"paid":1}'] } });
  });

  test('waits for promises that settle', async () => {
    const box = await setup(
      'export default async (event) => { await null; return { data: await Promise.all([1, (async () => 2)()]) }; }',
    );
    expect(box.data()).toEqual([1, 2]);
    const rejected = await setup('export default async () => {\n throw new TypeError("no") }');
    expect(rejected.error()).toMatchObject({ reason: 'transform_error', error: { message: 'TypeError: no', line: 2 } });
    const never = await setup('export default () => new Promise(() => {})');
    expect(never.error().error.message).toMatch(/never settles/);
  });

  test('names the line of an error', async () => {
    const box = await setup('const of = (x) => x.missing.y;\n\nexport default (event) => {\n  return of(event);\n}');
    expect(box.error()).toMatchObject({
      reason: 'transform_error',
      error: { message: expect.stringMatching(/^TypeError: .*undefined/), line: 1, column: expect.any(Number) },
    });
    const far = await setup(
      'export default (event) => {\n  const a = 1;\n  return {\n    data: event.data.user.name,\n  };\n}',
    );
    expect(far.error()).toMatchObject({ error: { line: 4, column: 26 } });
    const thrown = await setup('export default () => { throw { code: 7 } }');
    expect(thrown.error().error.message).toBe('It threw {"code":7}');
  });

  test.each([
    ['undefined', /returned nothing/],
    ['7', /returned a number/],
    ['[1]', /returned an array/],
    ['{}', /neither `data` nor `body`/],
    ['{ data: () => 1 }', /cannot be written as JSON/],
    ['{ data: 1n }', /BigInt/],
    ['{ data: "x".repeat(2_000_000) }', /returned 2000002 characters/],
    ['{ data: 1, headers: { a: "x".repeat(2_000_000) } }', /too long/],
  ])('refuses %s', async (value, message) => {
    const box = await setup(`export default () => (${value})`);
    expect(box.error()).toMatchObject({
      reason: 'transform_error',
      error: { message: expect.stringMatching(message) },
    });
  });

  test.each([
    ['export default (event => 1', /SyntaxError/],
    ['export const transform = (event) => event', /no default export/],
    ['export default 7', /no default export/],
    ['import fs from "node:fs"; export default () => null', /load module/],
    ['throw new Error("at once"); export default () => null', /at once/],
  ])('says what is wrong with the code %s', async (code, message) => {
    const { failure } = await setup(code);
    expect(failure).toMatchObject({ reason: 'transform_error', error: { message: expect.stringMatching(message) } });
  });

  test('keeps nothing from one event to the next', async () => {
    const box = await setup(`
      let count = 0;
      const seen = new Map();
      const pattern = /a/g;
      export default (event) => {
        count++;
        seen.set(count, event);
        Object.prototype.polluted = (Object.prototype.polluted ?? 0) + 1;
        Array.prototype.push = () => { throw new Error('polluted'); };
        globalThis.leak = (globalThis.leak ?? 0) + 1;
        JSON.stringify = () => '{"kind":"filtered"}';
        Promise.resolve(1).then(() => { globalThis.late = 1; });
        return { data: [count, seen.size, ({}).polluted, leak, pattern.test('a') && pattern.lastIndex, Symbol.for('x').description, globalThis.late ?? null] };
      }`);
    for (let n = 0; n < 3; n++) expect(box.data()).toEqual([1, 1, 1, 1, 1, 'x', null]);
  });

  test('has no way out', async () => {
    const names = `['process', 'require', 'fetch', 'Worker', 'WebAssembly', 'setTimeout', 'XMLHttpRequest', 'Atomics', 'performance', 'std', 'os', 'Deno', 'navigator', 'location', 'module', '__dirname']`;
    const box = await returning(`${names}.filter((name) => name in globalThis)`);
    expect(box.data()).toEqual([]);
    const evaluated = await returning(
      `[Function('return typeof process')(), (() => {}).constructor('return typeof require')(), eval('typeof globalThis.process')]`,
    );
    expect(evaluated.data()).toEqual(['undefined', 'undefined', 'undefined']);
    const imported = await setup('export default async () => ({ data: await import("node:fs") })');
    expect(imported.error().reason).toBe('transform_error');
  });

  test('has random numbers that follow from the event', async () => {
    const box = await returning('[Math.random(), Math.random()]');
    const first = box.data(EVENT, 7) as number[];
    expect(box.data(EVENT, 7)).toEqual(first);
    expect(box.data(EVENT, 8)).not.toEqual(first);
    expect(first[0]).not.toBe(first[1]);
    expect(first.every((n) => n >= 0 && n < 1)).toBe(true);
  });

  test('ends what takes too long, and goes on', async () => {
    const box = await setup('export default (event) => { while (event.data.loop); return { data: 1 } }');
    const answer = box.run({ ...EVENT, data: { loop: true } }, { ms: 20 });
    expect(answer).toMatchObject({ ok: false, reason: 'transform_timeout', error: { line: 1 } });
    expect(box.data()).toBe(1);
    const jobs = await setup(
      'const again = () => Promise.resolve().then(again); export default () => { again(); return null }',
    );
    expect(jobs.run(EVENT, { ms: 20 })).toMatchObject({ ok: false, reason: 'transform_timeout' });
  });

  test.each([
    ['strings', 'const a = []; while (true) a.push("x".repeat(100_000) + a.length);'],
    ['an array', 'return { data: new Array(1e8).fill(7) };'],
    ['a map', 'const m = new Map(); let i = 0; while (true) m.set(i++, new Array(1000).fill(i));'],
    ['a doubled string', 'let s = "x"; while (true) s += s + 1;'],
    ['an array buffer', 'return { data: new Uint8Array(2e9).length };'],
  ])('bounds the memory of %s', async (_, code) => {
    const box = await setup(`export default () => { ${code} }`);
    const before = process.memoryUsage.rss();
    const { reason, error } = box.error();
    expect(['transform_memory', 'transform_error'], error.message).toContain(reason);
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024);
  });

  test('keeps the console within bounds', async () => {
    const box = await setup(
      'export default () => { for (let i = 0; i < 1000; i++) console.log("x".repeat(1000), i); return null }',
    );
    const answer = box.run();
    if (!answer.ok) throw new Error(answer.error.message);
    expect(answer.head.console.join('').length).toBeLessThanOrEqual(16_384);
    expect(answer.head.console.length).toBeLessThanOrEqual(100);
  });

  test('stands what proxies and getters do', async () => {
    for (const value of [
      'new Proxy({}, { get() { throw new Error("trap"); } })',
      '({ get data() { throw new Error("trap"); } })',
      '({ data: { toJSON() { throw new Error("trap"); } } })',
      '({ data: new Proxy([], { get() { throw new Error("trap"); } }) })',
      '({ then() { throw new Error("trap"); } })',
      '({ data: 1, headers: new Proxy({}, { ownKeys() { throw new Error("trap"); } }) })',
    ]) {
      const box = await setup(`export default () => ${value}`);
      expect(box.error().error.message).toBe('Error: trap');
    }
    const hidden = await setup('export default () => { throw new Proxy({}, { getPrototypeOf() { throw 1; } }) }');
    expect(hidden.error().error.message).toBe('It threw what cannot be shown.');
    const deep = await setup(
      'export default () => { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return { data: a } }',
    );
    expect(deep.error().error.message).toMatch(/stack/);
  });

  test('sees numbers as JavaScript does', async () => {
    const box = await returning('event.data');
    expect(box.run('{"data":12345678901234567890}')).toMatchObject({ head: { payload: 'same' } });
    const sum = await returning('[event.data]');
    expect(Buffer.from((sum.run('{"data":12345678901234567890}') as { payload: Uint8Array }).payload).toString()).toBe(
      '[12345678901234567000]',
    );
  });
});
