import { afterEach, describe, expect, test } from 'vitest';
import { armFailpoints, failpoint, parseFailpoints } from './failpoint.ts';

const NONE = { kill: () => {}, stop: () => {}, pause: async () => {} };
afterEach(() => armFailpoints([], NONE));

function arm(text: string): string[] {
  const done: string[] = [];
  armFailpoints(parseFailpoints(text), {
    kill: () => done.push('kill'),
    stop: () => done.push('stop'),
    pause: async (ms) => void done.push(`pause ${ms}`),
  });
  return done;
}

describe('failpoint', () => {
  test('does nothing where none is armed', () => {
    expect(failpoint('writer.before_commit')).toBeUndefined();
    const done = arm('writer.after_commit=kill');
    expect(failpoint('writer.before_commit')).toBeUndefined();
    expect(done).toEqual([]);
  });

  test('acts once, at the hit that was asked for', () => {
    const done = arm('writer.before_commit=kill:3,lane.before_send=stop');
    for (let i = 0; i < 5; i++) failpoint('writer.before_commit');
    expect(done).toEqual(['kill']);
    failpoint('lane.before_send');
    failpoint('lane.before_send');
    expect(done).toEqual(['kill', 'stop']);
  });

  test('throws', () => {
    arm('flusher.after_flush=throw:2');
    failpoint('flusher.after_flush');
    expect(() => failpoint('flusher.after_flush')).toThrow('flusher.after_flush was reached');
    failpoint('flusher.after_flush');
  });

  test('delays at every hit, or at one', async () => {
    const done = arm('flusher.before_flush=delay:20,writer.before_insert=delay:7:2');
    for (let i = 0; i < 2; i++) await failpoint('flusher.before_flush');
    for (let i = 0; i < 3; i++) await failpoint('writer.before_insert');
    expect(done).toEqual(['pause 20', 'pause 20', 'pause 7']);
  });

  test.each([
    ['writer.before_commit', /^"writer\.before_commit" is no failpoint\. Give such as/],
    ['writer.before_comit=kill', /^There is no failpoint writer\.before_comit\. Give one of writer\.before_insert,/],
    ['toString=kill', /is no failpoint/],
    ['writer.before_commit=delay', /lacks its milliseconds/],
    ['lane.before_send=delay:5', /^lane\.before_send cannot be delayed/],
    ['writer.before_commit=kill:3:4', /takes one number, the hit/],
    ['writer.before_commit=explode', /is no failpoint/],
    ['', /^"" is no failpoint/],
  ])('refuses %j in words', (text, words) => {
    expect(() => parseFailpoints(text)).toThrow(words);
  });
});
