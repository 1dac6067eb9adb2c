import { describe, expect, test } from 'vitest';
import { FormatError } from '../core/formats/event-format.ts';
import { unbuilt } from './unsent.ts';

describe('unsent', () => {
  test('is rejected for good where the event cannot be written, and tried again where that may pass', () => {
    const reported: unknown[] = [];
    const resultOf = (error: unknown) => unbuilt(error, (told) => reported.push(told));
    expect(resultOf(new FormatError('no'))).toMatchObject({
      outcome: 'rejected',
      reason: 'format_failed',
      error: 'no',
    });
    expect(resultOf(new FormatError('slow', { isPassing: true }))).toMatchObject({
      outcome: 'unreachable',
      reason: 'internal_error',
      error: 'slow',
    });
    expect(reported).toEqual([]);
    const bug = new TypeError('x is undefined');
    expect(resultOf(bug)).toMatchObject({ outcome: 'unreachable', reason: 'internal_error' });
    expect(reported).toEqual([bug]);
  });
});
