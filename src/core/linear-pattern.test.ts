import { describe, expect, test } from 'vitest';
import { checkPattern, compileLinearPattern, MAX_PATTERN_CHARS } from './linear-pattern.ts';

describe('linear pattern', () => {
  test.each([
    ['launch', 'the launch day', true],
    ['^launch', 'the launch', false],
    ['(?i)LAUNCH$', 'the launch', true],
    ['\\bday\\b', 'days', false],
    ['^\\p{Lu}\\p{L}+$', 'Ärger', true],
    ['a.c', 'a\nc', false],
    ['(?s)a.c', 'a\nc', true],
    ['x', '\ud800', false],
    ['^.$', '💥', true],
    ['', '', true],
  ])('%s on %j: %s', (pattern, text, expected) => {
    expect(checkPattern(pattern)).toBeNull();
    expect(compileLinearPattern(pattern).test(text)).toBe(expected);
    expect(compileLinearPattern(pattern).test(text)).toBe(expected); // the second time it is one that is kept
  });

  test('goes by the text in linear time', () => {
    const { test: takes } = compileLinearPattern('(x+x+)+y');
    const startedMs = performance.now();
    expect(takes('x'.repeat(50_000))).toBe(false);
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });

  test.each(['(?=a)', '(?<=a)b', '(a)\\1', '[', 'a{2000}', 'a'.repeat(MAX_PATTERN_CHARS + 1)])(
    'refuses %s',
    (pattern) => {
      expect(checkPattern(pattern)).not.toBeNull();
    },
  );
});
