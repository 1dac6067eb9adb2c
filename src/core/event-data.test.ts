import { describe, expect, test } from 'vitest';
import { readData } from './event-data.ts';

describe('event data', () => {
  test('is parsed once, also when others are read between', () => {
    const [one, other] = [Buffer.from('{"a":1}'), Buffer.from('{"a":2}')];
    const value = readData(one);
    expect(value).toEqual({ a: 1 });
    expect(readData(other)).toEqual({ a: 2 });
    expect(readData(one)).toBe(value);
  });

  test('is told apart by the event, not by its text', () => {
    expect(readData(Buffer.from('[1]'))).not.toBe(readData(Buffer.from('[1]')));
  });

  test('keeps no more than a bounded number of values', () => {
    const first = Buffer.from('[0]');
    const value = readData(first);
    for (let i = 0; i < 1000; i++) readData(Buffer.from(`[${i}]`));
    expect(readData(first)).not.toBe(value);
    expect(readData(first)).toEqual(value);
  });

  test('may be null', () => {
    const data = Buffer.from('null');
    expect([readData(data), readData(Buffer.from('1')), readData(data)]).toEqual([null, 1, null]);
  });
});
