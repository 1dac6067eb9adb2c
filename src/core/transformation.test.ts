import { describe, expect, test } from 'vitest';
import {
  changeTransformation,
  checkTransformation,
  describeError,
  MAX_TRANSFORMATION_BYTES,
  NO_TRANSFORMATION,
  versionInUse,
} from './transformation.ts';

const CODE = 'export default (event) => event';

describe('transformation', () => {
  test('has another version with another code, and never the same twice', () => {
    const first = changeTransformation(NO_TRANSFORMATION, CODE);
    expect(first).toEqual({ version: 1, code: CODE });
    expect(changeTransformation(first, CODE)).toBe(first);
    const none = changeTransformation(first, null);
    expect(none).toEqual({ version: 1, code: null });
    expect(changeTransformation(none, CODE)).toEqual({ version: 2, code: CODE });
    expect([NO_TRANSFORMATION, first, none].map(versionInUse)).toEqual([null, 1, null]);
  });

  test.each([
    ['no text', 7, /in a string/],
    ['nothing', ' \n', /empty/],
    ['too much', `//${'é'.repeat(MAX_TRANSFORMATION_BYTES / 2)}`, /65538 bytes/],
    ['U+0000', 'a\0', /U\+0000/],
    ['half a surrogate pair', '\ud800', /well-formed/],
  ])('refuses %s', (_, code, message) => {
    expect(checkTransformation(code)).toEqual([{ path: '/transform', message: expect.stringMatching(message) }]);
  });

  test('takes code', () => {
    expect(checkTransformation(CODE)).toEqual([]);
  });

  test('tells where an error is', () => {
    expect(describeError({ message: 'no', line: null, column: null })).toBe('no');
    expect(describeError({ message: 'no', line: 3, column: null })).toBe('no (line 3)');
    expect(describeError({ message: 'no', line: 3, column: 7 })).toBe('no (line 3, column 7)');
  });
});
