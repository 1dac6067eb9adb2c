import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DATA_VALUES, REFUSED_BODIES } from '../../test/byte-corpus.ts';
import { TidingsError } from './errors.ts';
import { checkJson, JsonScanner } from './json-scan.ts';

/** What the scanner says of a body: null = accepted. */
function refusal(body: Buffer | string): TidingsError | null {
  try {
    checkJson(Buffer.from(body as string));
    return null;
  } catch (error) {
    if (error instanceof TidingsError && error.code === 'invalid_json') return error;
    throw error;
  }
}

/** The same judgement, made slowly out of JSON.parse and a recursive walk that shares nothing with the scanner. */
function isAcceptable(body: Buffer): boolean {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
    JSON.parse(text);
  } catch {
    return false;
  }
  if (text.startsWith('\ufeff')) return false;
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs) ?? [];
  let at = 0;
  function walk(depth: number): boolean {
    const token = tokens[at++];
    if (token !== '{' && token !== '[') return true;
    if (depth === 128) return false;
    const keys = new Set<string>();
    while (tokens[at] !== '}' && tokens[at] !== ']') {
      if (tokens[at] === ',') at++;
      if (token === '{') {
        const key: string = JSON.parse(tokens[at]);
        if (keys.has(key)) return false;
        keys.add(key);
        at += 2;
      }
      if (!walk(depth + 1)) return false;
    }
    at++;
    return true;
  }
  return walk(0);
}

/** Members of the top-level object as the scanner cuts them out. */
function membersOf(body: Buffer): [key: string, value: string][] {
  const scanner = new JsonScanner();
  const found: [string, string][] = [];
  scanner.open(body);
  scanner.enterObject();
  while (scanner.nextMember()) {
    const key: string = JSON.parse(body.toString('utf8', scanner.keyFrom - 1, scanner.keyTo + 1));
    const from = scanner.at;
    scanner.skipValue();
    found.push([key, body.toString('utf8', from, scanner.at)]);
  }
  scanner.finish();
  return found;
}

describe('json scan', () => {
  test.each(DATA_VALUES)('accepts $name', ({ bytes }) => {
    expect(refusal(bytes)).toBeNull();
    expect(isAcceptable(bytes)).toBe(true);
  });

  test.each(REFUSED_BODIES)('refuses $name', ({ bytes, reason }) => {
    expect(refusal(bytes)?.detail).toMatch(reason);
    expect(isAcceptable(bytes)).toBe(false);
  });

  test('accepts 128 containers in one another and refuses the 129th', () => {
    expect(refusal('['.repeat(128) + ']'.repeat(128))).toBeNull();
    expect(refusal(`${'{"":'.repeat(128)}0${'}'.repeat(128)}`)).toBeNull();
    expect(refusal(`${'{"":'.repeat(128)}[]${'}'.repeat(128)}`)?.detail).toMatch(/nested too deeply/);
  });

  test('accepts white space around the value', () => {
    expect(refusal('\r\n\t {"a" : 1} \n')).toBeNull();
  });

  test('accepts what JSON.stringify writes, whatever the value', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.nat(4), (text, indent) => {
        const body = JSON.stringify(JSON.parse(text), null, indent);
        expect(refusal(body)).toBeNull();
      }),
    );
  });

  test('judges mutated JSON as JSON.parse, a walk for keys and depth, and a strict decoder together do', () => {
    let accepted = 0;
    let seen = 0;
    const alphabet = fc.constantFrom(
      ...Buffer.from('{}[],:"\\/ubnt0019-+.eE aflsrud\t\n'),
      0,
      0x1f,
      0x7f,
      0xc3,
      0xa9,
      0xed,
      0xff,
    );
    const key = fc.constantFrom('a', 'b', 'é', '\ud800', '😀', '__proto__');
    const seeds = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constantFrom(0, -0.5, 1e21, true, false, null, '', 'a', '\n"\\', 'é😀', '\udc00'),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(key, tie('value'), { maxKeys: 4 }),
      ),
    })).value;
    const mutation = fc.record({ at: fc.nat(), bytes: fc.array(alphabet, { maxLength: 2 }), removed: fc.nat(2) });
    fc.assert(
      fc.property(seeds, fc.array(mutation, { maxLength: 3 }), fc.boolean(), (value, mutations, spaced) => {
        let body = Buffer.from(JSON.stringify(value, null, spaced ? 1 : 0));
        for (const { at, bytes, removed } of mutations) {
          const place = at % (body.length + 1);
          body = Buffer.concat([body.subarray(0, place), Buffer.from(bytes), body.subarray(place + removed)]);
        }
        const expected = isAcceptable(body);
        seen++;
        if (expected) accepted++;
        expect(refusal(body) === null).toBe(expected);
      }),
      { numRuns: 5_000 },
    );
    // Both verdicts must have been tried often, or the property says little.
    expect(accepted).toBeGreaterThan(seen / 20);
    expect(accepted).toBeLessThan(seen * 0.95);
  });

  test('finds a repeated key at any place, in any spelling, among few and many', () => {
    const spell = (text: string, escaped: boolean) =>
      escaped
        ? `"${[...Array(text.length).keys()].map((i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"`
        : JSON.stringify(text);
    const keys = fc.uniqueArray(fc.string({ unit: 'binary', maxLength: 4 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(
        keys,
        fc.nat(),
        fc.nat(),
        fc.array(fc.boolean(), { minLength: 61, maxLength: 61 }),
        (unique, a, b, escaped) => {
          const object = (list: string[]) =>
            `{${list.map((key, i) => `${spell(key, escaped[i])}:{"a":[]}`).join(',')}}`;
          expect(refusal(object(unique))).toBeNull();
          const repeated = unique.toSpliced(b % (unique.length + 1), 0, unique[a % unique.length]);
          expect(refusal(object(repeated))?.detail).toMatch(/stands twice/);
        },
      ),
    );
  });

  test('stays fast when all keys of an object collide in the hash', () => {
    const keys = collidingKeys();
    const body = Buffer.from(`{${keys.map((key) => `"${key}":0`).join(',')}}`);
    const started = process.cpuUsage();
    checkJson(body);
    const spent = process.cpuUsage(started);
    // Compared pair by pair these are 500 million comparisons: many seconds. Sorted they take some 50 ms.
    expect((spent.user + spent.system) / 1000).toBeLessThan(1_000);
    const twice = Buffer.from(`{${[...keys, keys[7]].map((key) => `"${key}":0`).join(',')}}`);
    expect(refusal(twice)?.errors?.[0].path).toBe(`/${keys[7]}`);
  });

  test('says where an error is', () => {
    const error = refusal('{\n  "items": [1, {"é/~": [true, tru]}]\n}');
    expect(error?.detail).toMatch(
      /^The body is not valid JSON at line 2, column 31 \(byte 33\), in \/items\/1\/é~1~0\/1: /,
    );
    expect(error?.errors).toEqual([
      { path: '/items/1/é~1~0/1', message: expect.stringMatching(/^a value is expected/) },
    ]);
    expect(error?.status).toBe(400);
  });

  test.each([
    ['{"a":1,"a":2}', '/a', 7],
    ['{"b":{},"a":[0,{"c":1,"\\u0063":2}]}', '/a/1/c', 22],
    [`{"a":{${'x'.repeat(20).replace(/x/g, (_, i) => `"${i}":0,`)}"\\u0037":0}}`, '/a/7', 136],
    ['{"a":1,}', '', 7],
    ['{"a":{"b":1,}}', '/a', 12],
    ['[1,2,', '/2', 5],
    ['{"a":"\\x"}', '/a', 6],
    ['{"a":1}x', '', 7],
  ])('points into %s', (body, path, offset) => {
    const error = refusal(body);
    expect(error?.errors?.[0].path).toBe(path);
    expect(error?.detail).toContain(`(byte ${offset})`);
  });

  test('points at the first byte that is not UTF-8', () => {
    const error = refusal(Buffer.concat([Buffer.from('{"é":"\n'), Buffer.from([0xff, 0x22, 0x7d])]));
    expect(error?.detail).toMatch(/line 2, column 1 \(byte 8\): it is not UTF-8/);
  });

  test('never reads beyond a body into what an earlier one left behind', () => {
    for (const length of [0, 1, 2, 3, 5, 8, 1000, 16_383, 16_384, 16_385]) {
      checkJson(Buffer.from(`"${'0123456789abcdef'.repeat(4_096)}"`));
      const unfinished = Buffer.from(`"${'x'.repeat(length)}`);
      expect(refusal(unfinished)?.detail).toMatch(/ends before/);
      expect(refusal(Buffer.concat([unfinished, Buffer.from('\\u00')]))?.detail).toMatch(/ends before/);
      expect(refusal(Buffer.concat([unfinished, Buffer.from('"')]))).toBeNull();
    }
  });

  test('takes bodies of any size one after the other', () => {
    const large = Buffer.from(`{"a":"${'x'.repeat(3_000_000)}","b":[${'{"\\u0061":1},'.repeat(100_000)}0]}`);
    const small = Buffer.from('{"a":{"b":1}}');
    for (const body of [small, large, small, large, small]) expect(refusal(body)).toBeNull();
  });
});

describe('json scanner', () => {
  test('cuts out the members of an object byte for byte', () => {
    expect(membersOf(Buffer.from(' { "a" : [ 1 , 2 ]\n, "b\\u0062":"x" ,"c":-0, "":{} } '))).toEqual([
      ['a', '[ 1 , 2 ]'],
      ['bb', '"x"'],
      ['c', '-0'],
      ['', '{}'],
    ]);
  });

  test('cuts out members that parse to what the whole body parses to', () => {
    const values = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 3 }), {
      noNullPrototype: true,
    });
    fc.assert(
      fc.property(values, fc.nat(3), (value, indent) => {
        const members = membersOf(Buffer.from(JSON.stringify(value, null, indent)));
        // Not from `value`: JSON.stringify turns -0 into 0.
        const expected = Object.entries(JSON.parse(JSON.stringify(value)));
        const sorted = (list: [string, unknown][]) => list.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
        expect(sorted(members.map(([key, text]) => [key, JSON.parse(text)]))).toEqual(sorted(expected));
      }),
    );
  });

  test('holds keys that the caller steps through against one another', () => {
    expect(() => membersOf(Buffer.from('{"a":{"a":1},"\\u0061":1}'))).toThrow(/stands twice/);
  });

  test('refuses what is wrong between members and elements', () => {
    expect(() => membersOf(Buffer.from('{,"a":1}'))).toThrow(/key in double quotes/);
    expect(() => membersOf(Buffer.from('{"a":1,}'))).toThrow(/key in double quotes/);
    expect(() => membersOf(Buffer.from('{"a":1;"b":2}'))).toThrow(/a comma or }/);
    const scanner = new JsonScanner();
    const elementsOf = (text: string) => {
      scanner.open(Buffer.from(text));
      scanner.enterArray();
      let count = 0;
      while (scanner.nextElement()) {
        scanner.skipValue();
        count++;
      }
      scanner.finish();
      return count;
    };
    expect(elementsOf('[ ]')).toBe(0);
    expect(elementsOf('[ [] , {} ,1 ]')).toBe(3);
    expect(() => elementsOf('[,1]')).toThrow(/a value is expected/);
    expect(() => elementsOf('[1,]')).toThrow(/a value is expected/);
    expect(() => elementsOf('[1;2]')).toThrow(/a comma or ]/);
    expect(() => elementsOf('[1')).toThrow(/ends before/);
  });
});

/** 32,768 different keys with one FNV-1a hash: fifteen times in a row one of two blocks that lead to the same state. */
function collidingKeys(): string[] {
  let state = 0;
  let keys = [''];
  for (let block = 0; block < 15; block++) {
    const seen = new Map<number, string>();
    for (let n = 0; ; n++) {
      const text = ((n * 40_503_001) % 36 ** 6).toString(36).padStart(6, '0');
      let hash = state;
      for (let i = 0; i < 6; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
      const other = seen.get(hash);
      if (other !== undefined) {
        keys = keys.flatMap((key) => [key + other, key + text]);
        state = hash;
        break;
      }
      seen.set(hash, text);
    }
  }
  return keys;
}
