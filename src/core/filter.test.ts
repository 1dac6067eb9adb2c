import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { aFilterable } from '../../test/filterable.ts';
import type { EndpointFilter } from './endpoint.ts';
import { checkFilter, compileFilter, MAX_FILTER_CHANNELS, MAX_FILTER_TYPES } from './filter.ts';

function takes(filter: EndpointFilter, type: string, channels: string[] = []): boolean {
  return compileFilter(filter).matches(aFilterable({ type, channels }));
}

describe('filter', () => {
  test('takes everything when it is empty', () => {
    expect(takes({}, 'invoice.paid')).toBe(true);
    expect(takes({}, 'x', ['a'])).toBe(true);
    expect(compileFilter({}).exactTypes).toBeNull();
  });

  test('takes exact types only as they are written', () => {
    const filter = { types: ['invoice.paid', 'user.created'] };
    expect(takes(filter, 'invoice.paid')).toBe(true);
    expect(takes(filter, 'user.created')).toBe(true);
    expect(takes(filter, 'invoice.paid.late')).toBe(false);
    expect(takes(filter, 'Invoice.paid')).toBe(false);
    expect(takes(filter, 'invoice')).toBe(false);
  });

  test.each([
    ['github.pull_request*', 'github.pull_request', true],
    ['github.pull_request*', 'github.pull_request_review', true],
    ['github.pull_request*', 'github.push', false],
    ['invoice.*', 'invoice.paid', true],
    ['invoice.*', 'invoice.', true],
    ['invoice.*', 'invoice', false],
    ['invoice.*', 'my.invoice.paid', false],
    ['*.paid', 'invoice.paid', true],
    ['*.paid', 'paid', false],
    ['*', 'anything', true],
    ['**', 'anything', true],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['ab*ba', 'aba', false],
    ['*ab*ab*', 'ab', false],
    ['*ab*ab*', 'xabyab', true],
    ['a*b*c', 'a.c.b', false],
    ['a*b*b', 'ab', false],
    ['a*b*b', 'abb', true],
    ['a.b', 'axb', false],
  ])('pattern %s on %s: %s', (pattern, type, expected) => {
    expect(takes({ types: [pattern] }, type)).toBe(expected);
  });

  test('agrees with a regular expression on every pattern', () => {
    const character = fc.constantFrom('a', 'b', '.');
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 4 }), fc.string({ unit: character, maxLength: 12 }), (types, type) => {
        const expected = types.some((text) =>
          new RegExp(`^${text.replaceAll('.', '\\.').replaceAll(/\*+/g, '.*')}$`).test(type),
        );
        expect(takes({ types }, type)).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });

  test('is not slowed down by a hostile pattern', () => {
    const filter = compileFilter({ types: [`${'*a'.repeat(60)}*b`] });
    const event = aFilterable({ type: 'a'.repeat(100_000) });
    const startedMs = performance.now();
    for (let i = 0; i < 100; i++) expect(filter.matches(event)).toBe(false);
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });

  test('needs one of its channels', () => {
    const filter = { channels: ['eu', 'us'] };
    expect(takes(filter, 'x', ['us', 'beta'])).toBe(true);
    expect(takes(filter, 'x', ['asia'])).toBe(false);
    expect(takes(filter, 'x')).toBe(false);
    expect(takes({ channels: ['e*'] }, 'x', ['eu'])).toBe(false);
  });

  test('needs both type and channel where both are given', () => {
    const filter = { types: ['a'], channels: ['eu'] };
    expect(takes(filter, 'a', ['eu'])).toBe(true);
    expect(takes(filter, 'a', ['us'])).toBe(false);
    expect(takes(filter, 'b', ['eu'])).toBe(false);
  });

  test('can be indexed by its types when all are exact', () => {
    expect(compileFilter({ types: ['b', 'a', 'b'], channels: ['eu'] }).exactTypes).toEqual(['a', 'b']);
    expect(compileFilter({ types: ['a', 'b*'] }).exactTypes).toBeNull();
    expect(compileFilter({ channels: ['eu'] }).exactTypes).toBeNull();
  });

  test('an event outside exactTypes never matches', () => {
    const types = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 1, maxLength: 3 }));
    fc.assert(
      fc.property(types, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 3 }), (list, type) => {
        const { exactTypes, matches } = compileFilter({ types: list });
        if (exactTypes !== null) expect(matches(aFilterable({ type }))).toBe(exactTypes.includes(type));
      }),
    );
  });

  test('explains each condition that does not hold', () => {
    const filter = compileFilter({ types: ['invoice.*'], channels: ['eu'] });
    expect(filter.explain(aFilterable({ type: 'user.created', channels: ['us'] }))).toEqual({
      matches: false,
      why: [
        { path: '/type', expected: ['invoice.*'], actual: 'user.created' },
        { path: '/channels', expected: ['eu'], actual: ['us'] },
      ],
    });
    expect(filter.explain(aFilterable({ channels: ['eu'] }))).toEqual({ matches: true, why: [] });
  });

  test('explains exactly what it decides', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 1, maxLength: 3 });
    const filters = fc.record({ types: fc.array(word), channels: fc.array(word) }, { requiredKeys: [] });
    fc.assert(
      fc.property(filters, fc.record({ type: word, channels: fc.array(word) }), (filter, event) => {
        const compiled = compileFilter(filter);
        expect(compiled.explain(aFilterable(event)).matches).toBe(compiled.matches(aFilterable(event)));
      }),
    );
  });
});

describe('filter check', () => {
  test('accepts what can be compiled', () => {
    expect(checkFilter({})).toEqual([]);
    expect(checkFilter({ types: ['a.b-c_D9', 'github.pull_request*', '*'], channels: ['a:b/c.d'] })).toEqual([]);
  });

  test.each<[string, unknown, string]>([
    ['no object', 'invoice.*', '/filter'],
    ['a list', [], '/filter'],
    ['null', null, '/filter'],
    ['an unknown key', { type: ['a'] }, '/filter/type'],
    ['types that are no list', { types: 'a' }, '/filter/types'],
    ['an empty list', { types: [] }, '/filter/types'],
    ['too many types', { types: Array.from({ length: MAX_FILTER_TYPES + 1 }, (_, i) => `t${i}`) }, '/filter/types'],
    ['a type with a space', { types: ['a', 'b c'] }, '/filter/types/1'],
    ['a type that is too long', { types: ['x'.repeat(129)] }, '/filter/types/0'],
    ['a type that is a number', { types: [1] }, '/filter/types/0'],
    ['a type with a line end', { types: ['a\n'] }, '/filter/types/0'],
    ['a channel pattern', { channels: ['eu*'] }, '/filter/channels/0'],
    ['too many channels', { channels: Array(MAX_FILTER_CHANNELS + 1).fill('c') }, '/filter/channels'],
  ])('refuses %s', (_, filter, path) => {
    expect(checkFilter(filter).map((error) => error.path)).toEqual([path]);
  });

  test('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(fc.anything(), (garbage) => {
        expect(Array.isArray(checkFilter(garbage))).toBe(true);
        expect(Array.isArray(checkFilter({ types: garbage, channels: garbage }))).toBe(true);
      }),
    );
  });
});
