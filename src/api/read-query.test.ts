import { describe, expect, test } from 'vitest';
import { aFilterable } from '../../test/filterable.ts';
import { parseReadQuery, preferredWaitSeconds } from './read-query.ts';

describe('read query', () => {
  test('has defaults', () => {
    expect(parseReadQuery({})).toEqual({
      after: null,
      limit: 100,
      maxBytes: 2 * 1024 * 1024,
      filter: null,
      filterKey: '',
      waitSeconds: null,
      signatures: null,
    });
  });

  test('takes lists for a filter', () => {
    const { filter } = parseReadQuery({ types: 'invoice.*,user.left', channels: 'eu' });
    expect(filter?.matches(aFilterable({ channels: ['eu'] }))).toBe(true);
    expect(filter?.matches(aFilterable())).toBe(false);
    expect(parseReadQuery({ types: 'a', channels: 'b' }).filterKey).not.toBe(
      parseReadQuery({ types: 'a b'.slice(0, 1) }).filterKey,
    );
  });

  test('names everything that is wrong', () => {
    const wrong = {
      limit: '0',
      wait: '61',
      maxBytes: 'x',
      after: 'c'.repeat(501),
      types: 'a b',
      before: '1',
      signatures: ['a', 'b'],
    };
    let errors: { path: string }[] = [];
    try {
      parseReadQuery(wrong);
    } catch (error) {
      ({ errors } = error as { errors: { path: string }[] });
    }
    expect(errors.map(({ path }) => path).sort()).toEqual(
      ['/after', '/before', '/limit', '/maxBytes', '/signatures', '/types/0', '/wait'].sort(),
    );
  });

  test.each([
    [undefined, null],
    ['wait=5', 5],
    ['respond-async, Wait = "10"; foo', 10],
    ['wait=5, wait=7', 5],
    ['wait=3600', 60],
    ['wait=0', 0],
    ['wait=-1', null],
    ['wait=soon', null],
    ['await=5', null],
    ['return=minimal; wait=5', 5],
  ])('prefers by %s to wait %s', (prefer, seconds) => {
    expect(preferredWaitSeconds(prefer)).toBe(seconds);
  });
});
